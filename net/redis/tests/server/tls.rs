//! Servers with TLS.

use super::{Server, free_port};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

/// An authority, and a certificate of it, as files: `ca.pem`, `cert.pem` and `key.pem`.
pub struct Certificates {
    folder: TempDir,
}

impl Certificates {
    /// A certificate for these names or addresses.
    pub fn of(names: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_key = KeyPair::generate().unwrap();
        let ca = params.self_signed(&ca_key).unwrap();
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::new(params, ca_key);
        let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        let texts = [("ca.pem", ca.pem()), ("cert.pem", certificate.pem()), ("key.pem", key.serialize_pem())];
        for (name, text) in texts {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        Self { folder }
    }

    /// Where a file is.
    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Settings of a server that shows the certificate at this port, and asks nobody for one.
    fn settings(&self, port: u16) -> [(&'static str, String); 5] {
        [
            ("tls-port", port.to_string()),
            ("tls-cert-file", self.path("cert.pem")),
            ("tls-key-file", self.path("key.pem")),
            ("tls-ca-cert-file", self.path("ca.pem")),
            ("tls-auth-clients", "no".into()),
        ]
    }

    /// A server with further arguments, and its port with TLS.
    pub fn server(&self, arguments: &[&str]) -> (Server, u16) {
        let port = free_port();
        let settings = self.settings(port).into_iter();
        let tls: Vec<String> = settings.flat_map(|(name, value)| [format!("--{name}"), value]).collect();
        let arguments: Vec<&str> = tls.iter().map(String::as_str).chain(arguments.iter().copied()).collect();
        (Server::start(&arguments), port)
    }

    /// A sentinel that talks TLS to the primary at a port and to everybody else, with further settings, and its port.
    pub fn sentinel(&self, primary: u16, further: &str) -> (Server, u16) {
        let port = free_port();
        let lines = self.settings(port).map(|(name, value)| format!("{name} {value}\n")).concat();
        (Server::sentinel_with(primary, 1, &format!("{lines}tls-replication yes\n{further}")), port)
    }
}
