//! What the binary `quark` is made of: the command line, and the processes behind it.
//!
//! A library beside the binary for one reason: the stage on which the stories are told to real processes (`tests/stage/`)
//! runs the silo process of [`silo`] with the actors of a story and a wall clock that can be set wrong. Both are in the
//! tests alone; `quark` has its own actors and the machine's clock, and no flag, variable or message changes that.
#![deny(missing_docs)]

mod bank;
mod cli;
mod explain_command;
mod period;
mod report;
mod settings;
mod signals;
mod silo_command;
mod sim_command;
mod storage;
mod store_choice;
mod up;

pub use silo_command::Cast;

use clap::Parser;
use cli::{Cli, Command, SiloCli};
use std::ffi::OsString;
use std::process::ExitCode;
use tokio::runtime::{Handle, Runtime};
use tracing_subscriber::EnvFilter;

/// Does what this process's arguments ask for; returns the code with which it should exit.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    with_runtime(|runtime| match cli.command {
        Command::Up(flags) => runtime.block_on(up::run(flags)),
        Command::Sim { command } => sim_command::run(command),
        Command::Silo(flags) => {
            log_to_stderr();
            runtime.block_on(silo_command::run(flags, Cast::of_bank(runtime.handle())))
        }
    })
}

/// Runs one silo process, as `quark silo` does with these flags (without a name of a program), with another cast.
///
/// It reports on the standard output and stops when the standard input ends, as `quark silo` does. Returns the code with
/// which the process should exit.
///
/// Panics: never; wrong flags end the process with clap's message.
///
/// ```no_run
/// use quark_node::Cast;
/// let code = quark_node::silo(["--name", "a", "--cluster", "shop"], |runtime| Cast {
///     describe: Box::new(|silo| silo),
///     clock: std::sync::Arc::new(quark_tokio::TokioClock::new(runtime.clone())),
/// });
/// ```
pub fn silo<A: Into<OsString>>(
    flags: impl IntoIterator<Item = A>,
    cast: impl FnOnce(&Handle) -> Cast,
) -> ExitCode {
    let flags = std::iter::once("silo".into()).chain(flags.into_iter().map(Into::into));
    let cli = SiloCli::parse_from(flags);
    with_runtime(|runtime| {
        log_to_stderr();
        runtime.block_on(silo_command::run(cli.flags, cast(runtime.handle())))
    })
}

fn with_runtime(work: impl FnOnce(&Runtime) -> ExitCode) -> ExitCode {
    // One thread per process: stealing pools in front of sockets cost 1.4 to 4.6 times the processor time.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = work(&runtime);
    // Not dropped: a thread that waits for the disk or for input must not hold up the end of the process.
    runtime.shutdown_background();
    code
}

/// Logs what `QUARK_LOG` asks for (`info`, `quark=debug`, ..), warnings by default.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("QUARK_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
}
