//! Cuts links between processes: every silo is reached through a proxy of its own, which knows by the system's socket
//! tables which process dials, and carries no byte between processes that are cut from one another.

use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Who may talk to whom.
pub struct Cuts {
    names: Mutex<BTreeMap<i32, String>>,
    cut: watch::Sender<BTreeSet<(String, String)>>,
}

impl Default for Cuts {
    fn default() -> Self {
        Self { names: Mutex::default(), cut: watch::Sender::new(BTreeSet::new()) }
    }
}

impl Cuts {
    /// This process is this silo.
    pub fn belongs(&self, pid: i32, name: &str) {
        self.names.lock().insert(pid, name.into());
    }

    /// Cuts silos of different groups from one another.
    pub fn partition(&self, groups: &[&[&str]]) {
        self.cut.send_modify(|cut| {
            for (at, group) in groups.iter().enumerate() {
                for other in groups.iter().enumerate().filter(|(o, _)| *o != at).flat_map(|(_, g)| g.iter()) {
                    cut.extend(group.iter().map(|name| ((*name).to_owned(), (*other).to_owned())));
                }
            }
        });
    }

    /// Mends everything.
    pub fn heal(&self) {
        self.cut.send_modify(BTreeSet::clear);
    }

    /// The silo whose process holds the other end of this connection; `None` for a client.
    fn dialler(&self, peer: SocketAddr) -> Option<String> {
        let inode = inode_of_local_port(peer.port())?;
        let wanted = format!("socket:[{inode}]");
        let names = self.names.lock();
        names
            .iter()
            .find(|(pid, _)| {
                let Ok(files) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
                files.flatten().any(|f| std::fs::read_link(f.path()).is_ok_and(|l| l.as_os_str() == &*wanted))
            })
            .map(|(_, name)| name.clone())
    }
}

/// The socket whose local port this is, from the system's table of IPv4 connections.
fn inode_of_local_port(port: u16) -> Option<String> {
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let wanted = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let local = fields.next()?;
        local.ends_with(&wanted).then(|| fields.nth(7).map(str::to_owned))?
    })
}

/// One silo's front door.
pub struct Proxy {
    address: SocketAddr,
    target: watch::Sender<Option<String>>,
}

impl Proxy {
    /// Listens on a free port for connections to this silo.
    pub async fn listen(name: &str, cuts: Arc<Cuts>) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let target = watch::Sender::new(None);
        let (targets, name) = (target.subscribe(), name.to_owned());
        tokio::spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                let link = (cuts.dialler(peer).unwrap_or_default(), name.clone());
                tokio::spawn(carry(stream, targets.borrow().clone(), link, cuts.cut.subscribe()));
            }
        });
        Ok(Self { address, target })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the silo listens now.
    pub fn aim(&self, target: &str) {
        self.target.send_replace(Some(target.to_owned()));
    }
}

/// Carries bytes both ways while the link is not cut. A cut link is silent, not closed: that is what a cut cable is.
async fn carry(
    stream: TcpStream,
    target: Option<String>,
    link: (String, String),
    cuts: watch::Receiver<BTreeSet<(String, String)>>,
) {
    let Some(target) = target else { return };
    let Ok(onward) = TcpStream::connect(target).await else { return };
    let _ = (stream.set_nodelay(true), onward.set_nodelay(true));
    let (mut from, mut to) = (stream.into_split(), onward.into_split());
    let there = pump(&mut from.0, &mut to.1, link.clone(), cuts.clone());
    let back = pump(&mut to.0, &mut from.1, link, cuts);
    tokio::select! {
        () = there => {}
        () = back => {}
    }
}

async fn pump(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    link: (String, String),
    mut cuts: watch::Receiver<BTreeSet<(String, String)>>,
) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let Ok(read) = from.read(&mut buffer).await else { return };
        if read == 0 {
            return;
        }
        // What is in flight when the cable is cut arrives once it is mended, as TCP would have it.
        if cuts.wait_for(|cut| !cut.contains(&link)).await.is_err() {
            return;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
