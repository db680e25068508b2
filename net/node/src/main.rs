//! The binary `quark`.

mod bank;
mod cli;
mod period;
mod report;
mod settings;
mod signals;
mod silo_command;
mod sim_command;
mod storage;
mod store_choice;
mod up;

use clap::Parser;
use cli::{Cli, Command};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // One thread per process: stealing pools in front of sockets cost 1.4 to 4.6 times the processor time.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = match cli.command {
        Command::Up(flags) => runtime.block_on(up::run(flags)),
        Command::Sim { command } => sim_command::run(command),
        Command::Silo(flags) => {
            log_to_stderr();
            runtime.block_on(silo_command::run(flags))
        }
    };
    // Not dropped: a thread that waits for the disk or for input must not hold up the end of the process.
    runtime.shutdown_background();
    code
}

/// Logs what `QUARK_LOG` asks for (`info`, `quark=debug`, ..), warnings by default.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("QUARK_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
}
