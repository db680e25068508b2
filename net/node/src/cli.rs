//! The command line.

use crate::period::Period;
use crate::store_choice::StoreText;
use clap::{Args, Parser, Subcommand};
use quark_scenarios::shrink::Schedule;
use std::path::PathBuf;

/// Virtual actors whose guarantees are checked.
#[derive(Parser, Debug)]
#[command(name = "quark", version, about, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Start a cluster on this machine: silo processes, one SQLite file or Redis, a sample bank under load
    ///
    /// Shows what happens in a live view (plain lines if the output is no terminal) and serves HTTP:
    ///
    ///   curl -X POST localhost:8080/actors/account/alice/deposit -d '{"amount":5}'
    ///
    /// Ctrl-C stops it in order; a second Ctrl-C at once. Every flag can also stand in the environment (QUARK_SILOS,
    /// ..) or, without its dashes, in the file of --config; flags win over the environment, that over the file.
    #[command(verbatim_doc_comment)]
    Up(UpFlags),
    /// Tell the cluster's stories in the simulator: partitions, crashes, zombies, lost answers, from a seed
    #[command(after_help = quark_scenarios::EXIT_CODES)]
    Sim {
        #[command(subcommand)]
        command: SimCommand,
    },
    /// One silo process; started by `quark up`
    #[command(hide = true)]
    Silo(SiloFlags),
}

/// Which run: a story and a seed, or a file that `quark sim shrink` has written.
#[derive(Args, Debug)]
pub struct RunFlags {
    /// The story
    #[arg(value_name = "STORY", requires = "seed", required_unless_present = "case")]
    pub story: Option<String>,
    /// The seed
    #[arg(long, value_name = "N", requires = "story")]
    pub seed: Option<u64>,
    /// A run that was made smaller, instead of a story and a seed
    #[arg(long, value_name = "FILE", conflicts_with_all = ["story", "seed"])]
    pub case: Option<PathBuf>,
    /// Who runs next, if not whom the story has: fifo, random, pct3
    #[arg(long, value_name = "ORDER", requires = "story")]
    pub schedule: Option<Schedule>,
}

/// What `quark sim` can do.
#[derive(Subcommand, Debug)]
pub enum SimCommand {
    /// Run stories over a range of seeds, each twice, and check every promise
    Run {
        /// The stories [default: all but the heavy ones]
        #[arg(value_name = "STORY")]
        stories: Vec<String>,
        /// Which seeds, as in 0..1000
        #[arg(long, value_name = "A..B", default_value = "0..50", value_parser = quark_scenarios::cli::parse_seeds)]
        seeds: std::ops::Range<u64>,
        /// Only one machine's share of the runs, as in 2/5: all five together tell each run once
        #[arg(long, value_name = "I/N", default_value = "1/1")]
        shard: quark_scenarios::cli::Shard,
        /// How many runs at a time
        #[arg(long, value_name = "N", default_value_t = 2)]
        jobs: usize,
        /// Stop at the first failure
        #[arg(long)]
        fail_fast: bool,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Tell one seed of a story again, to be read
    Replay {
        #[command(flatten)]
        run: RunFlags,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Look for trouble where rare paths are still being reached, for some time
    Search {
        /// The stories [default: all but the heavy ones]
        #[arg(value_name = "STORY")]
        stories: Vec<String>,
        /// How long, in real time: 60s, 1h
        #[arg(long, value_name = "TIME", default_value = "60s")]
        budget: Period,
        /// Stop when so many runs have reached nothing new
        #[arg(long, value_name = "RUNS", default_value_t = 2000)]
        stable: u64,
        /// The first seed of each story
        #[arg(long, value_name = "N", default_value_t = 0)]
        from: u64,
        /// Every story in its turn instead, to compare with
        #[arg(long)]
        uniform: bool,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Make a failing run small: fewer faults, operations and silos that fail the same promise
    Shrink {
        #[command(flatten)]
        run: RunFlags,
        /// Keep what is left in this file, for `quark sim replay --case`
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Also make it a part of the corpus, as scenarios/cases/NAME.json, told before any seed from then on
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// What was wrong, in a sentence, for the corpus
        #[arg(long, value_name = "TEXT", requires = "name")]
        because: Option<String>,
        /// How long to search, in real time: 60s, 5m
        #[arg(long, value_name = "TIME", default_value = "60s")]
        budget: Period,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Show a moment of a story: nodes, clocks, views, frames and calls under way
    Goto {
        /// The story
        #[arg(value_name = "STORY")]
        story: String,
        /// The seed
        #[arg(long, value_name = "N")]
        seed: u64,
        /// The moment, in simulated time since the start: 31.4s, 500ms, 2m
        #[arg(long, value_name = "T", value_parser = quark_scenarios::travel::parse_moment)]
        at: quark_core::Instant,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Tell other futures of a moment: until then as the seed has it, from then on as other seeds have it
    Branch {
        /// The story
        #[arg(value_name = "STORY")]
        story: String,
        /// The seed of the past
        #[arg(long, value_name = "N")]
        seed: u64,
        /// The moment, in simulated time since the start: 31.4s, 500ms, 2m
        #[arg(long, value_name = "T", value_parser = quark_scenarios::travel::parse_moment)]
        at: quark_core::Instant,
        /// The seed of the future, or those of many, as in 0..100
        #[arg(long, value_name = "R[..R2]", value_parser = quark_scenarios::cli::parse_seeds)]
        reseed: std::ops::Range<u64>,
        /// How many futures at a time
        #[arg(long, value_name = "N", default_value_t = 2)]
        jobs: usize,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Go back and forth in a story: reads `goto 31.4s`, `back 2s`, `branch 7`, .. from the standard input
    Travel {
        /// The story
        #[arg(value_name = "STORY")]
        story: String,
        /// The seed
        #[arg(long, value_name = "N")]
        seed: u64,
    },
    /// Visit every state that a small world of silos may come to, and check what must hold in each
    Explore(quark_scenarios::explore::Arguments),
    /// Tell seeds in processes of their own, and demand the same trace of all
    Audit(quark_scenarios::audit::Arguments),
    #[command(flatten)]
    Explain(crate::explain_command::ExplainCommand),
    /// Write a scenario of your own to start from: actors, a workload, faults, a check, and the test that tells it
    NewScenario {
        /// Its name, as in ticket-office
        #[arg(value_name = "NAME")]
        name: String,
        /// Where to write it
        #[arg(long, value_name = "FOLDER", default_value = "tests")]
        dir: PathBuf,
    },
    /// List the stories
    List {
        /// Print JSON lines
        #[arg(long)]
        json: bool,
    },
}

/// Flags that every process has.
#[derive(Args, Clone, Debug)]
pub struct Common {
    /// Folder of the logs, and of the database unless it is elsewhere [default: ./quark-data]
    #[arg(long, value_name = "FOLDER", env = "QUARK_DATA")]
    pub data: Option<PathBuf>,

    /// Name of the cluster; a database belongs to one [default: quark]
    #[arg(long, value_name = "NAME", env = "QUARK_CLUSTER")]
    pub cluster: Option<String>,

    /// Where actors are stored: `sqlite`, a file in the data folder, or the URL of a Redis 7 [default: sqlite]
    ///
    ///   redis://[user[:password]@]host[:6379][/db][?prefix=name]        one server; rediss:// with TLS
    ///   redis+unix:///path/of/socket[?db=0&prefix=name]                 one server, through a Unix socket
    ///   redis+sentinel://host[:26379],host../name-of-the-primary[/db]   the server that sentinels call primary
    ///   redis-cluster://host[:6379],host..[?prefix=name]                a Redis Cluster
    ///
    /// Several clusters share a server under different prefixes; a prefix belongs to the cluster (--cluster) that used it first.
    /// More parameters, as in rediss://host?ca=/etc/ca.pem&wait_replicas=1:
    ///
    ///   ca=FILE              PEM file of the authorities to trust, with TLS [default: those of the operating system]
    ///   sentinel_password=P  what the sentinels want, with redis+sentinel://; %26 for &
    ///   wait_replicas=N      replicas that confirm a commit before it is acknowledged [default: 0]
    ///   min_replicas=N       refuse a server whose min-replicas-to-write is less than N [default: 0]
    ///
    /// A password on the command line can be read by everybody on
    /// the machine (`ps`): write it into QUARK_STORE, or as `store = ".."` into the file of --config.
    // Help shows the environment's values, but not this one's.
    #[arg(long, value_name = "STORE", env = "QUARK_STORE", hide_env_values = true, verbatim_doc_comment)]
    pub store: Option<StoreText>,

    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE", env = "QUARK_CONFIG")]
    pub config: Option<PathBuf>,
}

/// Flags of `quark up`.
#[derive(Args, Clone, Debug)]
pub struct UpFlags {
    /// Number of silo processes [default: 3]
    #[arg(long, value_name = "N", env = "QUARK_SILOS")]
    pub silos: Option<u16>,

    #[command(flatten)]
    pub common: Common,

    /// Port of the HTTP API on 127.0.0.1; 0 lets the system choose [default: 8080]
    #[arg(long, value_name = "PORT", env = "QUARK_HTTP_PORT")]
    pub http_port: Option<u16>,

    /// Load on the sample bank in calls per second; 0 for none [default: 200]
    #[arg(long, value_name = "N", env = "QUARK_RATE")]
    pub rate: Option<u32>,

    /// Print JSON lines instead of the live view
    #[arg(long)]
    pub json: bool,
}

/// `quark silo` without `quark`.
#[derive(Parser, Debug)]
pub struct SiloCli {
    #[command(flatten)]
    pub flags: SiloFlags,
}

/// Flags of `quark silo`.
#[derive(Args, Clone, Debug)]
pub struct SiloFlags {
    /// Name, of one process at a time
    #[arg(long)]
    pub name: String,

    /// Where to listen for other silos; port 0 lets the system choose
    #[arg(long, default_value = "127.0.0.1:0")]
    pub address: std::net::SocketAddr,

    /// Where other silos reach it, if that is not where it listens (behind a proxy)
    #[arg(long, value_name = "HOST:PORT")]
    pub advertise: Option<String>,

    #[command(flatten)]
    pub common: Common,
}
