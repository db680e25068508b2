//! What stands behind the `?` of a URL.

use super::{Address, Kind, UrlError, check_prefix, database, unescape};
use crate::secret::Secret;

/// Takes the parameters of a URL of this kind into the address.
pub(super) fn apply(query: &str, kind: Kind, address: &mut Address) -> Result<(), UrlError> {
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let only = |holds: bool, name, scheme| match holds {
            true => Ok(()),
            false => Err(UrlError::Misplaced { name, scheme }),
        };
        match name {
            "prefix" => address.prefix = Some(check_prefix(&unescape(value, "prefix")?)?),
            "db" => {
                only(kind == Kind::Unix, "db", "redis+unix://; elsewhere write /0 behind the host")?;
                address.db = database(value)?;
            }
            "ca" => {
                only(address.tls, "ca", "rediss://, rediss+sentinel:// or rediss-cluster://")?;
                address.ca_file = Some(unescape(value, "name of the file of `ca`")?.into());
            }
            "sentinel_password" => {
                let scheme = "redis+sentinel:// or rediss+sentinel://";
                only(kind == Kind::Sentinel, "sentinel_password", scheme)?;
                address.sentinel_password = Some(Secret(unescape(value, "password of the sentinels")?));
            }
            "wait_replicas" => address.wait_replicas = Some(replicas("wait_replicas", value)?),
            "min_replicas" => address.min_replicas = Some(replicas("min_replicas", value)?),
            found => return Err(UrlError::Parameter { found: found.into() }),
        }
    }
    Ok(())
}

/// How many replicas. More than anybody has are a slip of the finger, and would make every commit doubtful.
fn replicas(parameter: &'static str, text: &str) -> Result<u32, UrlError> {
    let number = text.parse().ok().filter(|number| *number <= REPLICAS_MAX);
    number.ok_or_else(|| UrlError::Replicas { parameter, found: text.into() })
}

const REPLICAS_MAX: u32 = 99;
