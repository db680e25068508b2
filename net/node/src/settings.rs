//! What a node is told: flags before environment before file before defaults.

use crate::cli::{Common, UpFlags};
use crate::period::Period;
use crate::store_choice::{StoreChoice, StoreText, without_passwords};
use anyhow::{Context, Result, anyhow, bail};
use quark::SiloConfig;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The configuration file. A key that is not here is an error, because a typo is not a wish.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    cluster: Option<String>,
    data: Option<PathBuf>,
    silos: Option<u16>,
    http_port: Option<u16>,
    rate: Option<u32>,
    store: Option<StoreText>,
    #[serde(default)]
    silo: SiloSection,
    #[serde(default)]
    membership: MembershipSection,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SiloSection {
    deadline: Option<Period>,
    idle_after: Option<Period>,
    shutdown_timeout: Option<Period>,
    mailbox_messages_max: Option<usize>,
    pending_max: Option<usize>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct MembershipSection {
    lease: Option<Period>,
    probe_every: Option<Period>,
    probe_timeout: Option<Period>,
    misses_max: Option<u32>,
}

/// What every process of a cluster has to agree on.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The cluster's name.
    pub cluster: String,
    /// The folder of the logs, and of the database if it is a file.
    pub data: PathBuf,
    /// Where actors are stored.
    pub store: StoreChoice,
    /// The configuration file, for child processes.
    pub config: Option<PathBuf>,
    /// A silo's knobs.
    pub silo: SiloConfig,
    /// The membership's knobs.
    pub membership: quark_core::membership::Config,
}

/// What `quark up` adds to that.
#[derive(Clone, Debug)]
pub struct UpSettings {
    /// For every process.
    pub node: Settings,
    /// How many silos.
    pub silos: u16,
    /// Where HTTP is served; 0 lets the system choose.
    pub http_port: u16,
    /// The load, in calls per second; 0 for none.
    pub rate: u32,
    /// Whether the live view is JSON lines.
    pub is_json: bool,
}

impl File {
    fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| {
            format!("cannot read the configuration file {path:?}: create it, or correct --config")
        })?;
        Self::parse(&text).with_context(|| format!("the configuration file {path:?} is not understood"))
    }

    fn parse(text: &str) -> Result<Self> {
        // Such an error quotes the line.
        toml::from_str(text).map_err(|error| anyhow!(without_passwords(&error.to_string())))
    }

    fn of(common: &Common) -> Result<Self> {
        common.config.as_deref().map_or_else(|| Ok(Self::default()), Self::read)
    }
}

impl Settings {
    /// What a child process is told.
    pub fn of_silo(common: &Common) -> Result<Self> {
        Self::merge(common, &File::of(common)?)
    }

    fn merge(common: &Common, file: &File) -> Result<Self> {
        let cluster = common.cluster.clone().or_else(|| file.cluster.clone()).unwrap_or("quark".into());
        if cluster.is_empty() || cluster.len() > CLUSTER_BYTES_MAX {
            bail!(
                "the cluster name `{cluster}` has {} bytes: give it 1 to {CLUSTER_BYTES_MAX}",
                cluster.len()
            );
        }
        let store = common.store.as_ref().or(file.store.as_ref());
        let data = common.data.clone().or_else(|| file.data.clone()).unwrap_or("quark-data".into());
        Ok(Self {
            silo: file.silo.resolve()?,
            membership: file.membership.resolve(&cluster)?,
            store: store.map_or(Ok(StoreChoice::Sqlite), StoreText::choice)?,
            config: common.config.clone(),
            cluster,
            data,
        })
    }
}

impl UpSettings {
    /// What `quark up` is told.
    pub fn of(flags: &UpFlags) -> Result<Self> {
        Self::merge(flags, &File::of(&flags.common)?)
    }

    fn merge(flags: &UpFlags, file: &File) -> Result<Self> {
        let silos = flags.silos.or(file.silos).unwrap_or(3);
        if !(1..=SILOS_MAX).contains(&silos) {
            bail!("`silos` is {silos}: one machine takes 1 to {SILOS_MAX}");
        }
        let rate = flags.rate.or(file.rate).unwrap_or(200);
        if rate > RATE_MAX {
            bail!("`rate` is {rate}: the load goes up to {RATE_MAX} calls per second, 0 is none");
        }
        Ok(Self {
            node: Settings::merge(&flags.common, file)?,
            silos,
            http_port: flags.http_port.or(file.http_port).unwrap_or(8080),
            rate,
            is_json: flags.json,
        })
    }
}

impl SiloSection {
    fn resolve(&self) -> Result<SiloConfig> {
        let mut config = SiloConfig::default();
        config.deadline = period("silo.deadline", self.deadline, config.deadline)?;
        config.idle_after = period("silo.idle_after", self.idle_after, config.idle_after)?;
        config.shutdown_timeout =
            period("silo.shutdown_timeout", self.shutdown_timeout, config.shutdown_timeout)?;
        config.mailbox_messages_max =
            count("silo.mailbox_messages_max", self.mailbox_messages_max, config.mailbox_messages_max)?;
        config.pending_max = count("silo.pending_max", self.pending_max, config.pending_max)?;
        Ok(config)
    }
}

impl MembershipSection {
    fn resolve(&self, cluster: &str) -> Result<quark_core::membership::Config> {
        let mut config = quark_core::membership::Config::new(cluster);
        config.lease = period("membership.lease", self.lease, config.lease)?;
        if config.lease < LEASE_MIN {
            bail!(
                "`membership.lease` is {:?}: the store needs time to renew it, at least {LEASE_MIN:?}",
                config.lease
            );
        }
        // A third leaves room for two failures.
        config.renew_every = config.lease / 3;
        config.renew_timeout = config.renew_timeout.min(config.renew_every);
        config.probe_every = period("membership.probe_every", self.probe_every, config.probe_every)?;
        config.probe_timeout = period("membership.probe_timeout", self.probe_timeout, config.probe_timeout)?;
        config.misses_max = count("membership.misses_max", self.misses_max, config.misses_max)?;
        Ok(config)
    }
}

fn period(key: &str, given: Option<Period>, default: Duration) -> Result<Duration> {
    match given {
        Some(Period(Duration::ZERO)) => bail!("`{key}` is 0: give it a duration, such as `{default:?}`"),
        Some(Period(given)) => Ok(given),
        None => Ok(default),
    }
}

fn count<T: PartialEq + Default + std::fmt::Display>(key: &str, given: Option<T>, default: T) -> Result<T> {
    match given {
        Some(given) if given == T::default() => {
            bail!("`{key}` is 0: give it at least 1; the default is {default}")
        }
        Some(given) => Ok(given),
        None => Ok(default),
    }
}

const CLUSTER_BYTES_MAX: usize = 64;
const SILOS_MAX: u16 = 64;
const RATE_MAX: u32 = 100_000;
const LEASE_MIN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
