//! One silo process, and what it says.

use super::network::Network;
use super::told::Told;
use parking_lot::Mutex;
use quark::Observer;
use quark_core::view::View;
use quark_core::{Instant, SiloId};
use quark_testkit::recorder::Recorder;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A process of the stage, killed at the latest when this is dropped.
pub struct Process {
    pub child: Option<Child>,
    pub pid: i32,
    /// Where others reach it.
    pub door: SocketAddr,
    /// Where it reaches the store.
    pub store: String,
    pub latest: Arc<Mutex<Latest>>,
    /// Ends when it has nothing more to say.
    pub silent: Option<JoinHandle<()>>,
}

/// What a process last said.
#[derive(Default)]
pub struct Latest {
    pub id: Option<SiloId>,
    pub status: Option<(Arc<View>, Counters)>,
    pub ended: Option<String>,
    /// How often which probe was reached, if it had the time to say so.
    pub reached: BTreeMap<String, u64>,
}

/// Those of a silo's numbers that stories ask for.
#[derive(Clone, Copy, Deserialize)]
pub struct Counters {
    pub turns: u64,
    pub lease_valid: bool,
}

/// Who wants to hear what it says.
pub struct Ears {
    pub name: String,
    pub network: Network,
    pub recorder: Arc<Recorder>,
}

impl Process {
    /// Starts it. `tell` hears once whether it serves.
    pub fn spawn(
        command: std::process::Command,
        ears: Ears,
        door: SocketAddr,
        store: String,
        tell: oneshot::Sender<Result<(), String>>,
    ) -> io::Result<Self> {
        let mut command = Command::from(command);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let pid = child.id().ok_or_else(|| io::Error::other("it ended at once"))? as i32;
        let output = child.stdout.take().expect("piped");
        let latest = Arc::new(Mutex::new(Latest::default()));
        let silent = tokio::spawn(listen(output, latest.clone(), ears, tell));
        Ok(Self { child: Some(child), pid, door, store, latest, silent: Some(silent) })
    }
}

/// Listens until it has nothing more to say.
async fn listen(
    output: ChildStdout,
    latest: Arc<Mutex<Latest>>,
    ears: Ears,
    tell: oneshot::Sender<Result<(), String>>,
) {
    let (mut tell, mut lines) = (Some(tell), BufReader::new(output).lines());
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(report) = serde_json::from_str::<Value>(&line) else { continue };
        if let Some(outcome) = hear(report, &mut latest.lock(), &ears)
            && let Some(tell) = tell.take()
        {
            let _ = tell.send(outcome);
        }
    }
    latest.lock().ended.get_or_insert_with(|| "the process ended".into());
}

/// Hears one report; whether it serves, if that is what it says.
fn hear(mut report: Value, latest: &mut Latest, ears: &Ears) -> Option<Result<(), String>> {
    match report["report"].as_str() {
        Some("listening") => ears.network.aim(&ears.name, report["address"].as_str().unwrap_or_default()),
        Some("started") => {
            latest.id = serde_json::from_value(report["id"].take()).ok();
            return Some(Ok(()));
        }
        Some("status") => {
            let view = serde_json::from_value::<View>(report["view"].take());
            let counters = serde_json::from_value::<Counters>(report["counters"].take());
            latest.status = Some((Arc::new(view.expect("a view")), counters.expect("counters")));
        }
        Some("failed") => {
            let reason = report["reason"].as_str().unwrap_or("no reason given").to_owned();
            latest.ended = Some(reason.clone());
            return Some(Err(reason));
        }
        Some("event") => {
            let silo: SiloId = serde_json::from_value(report["silo"].take()).expect("a silo");
            let at: Instant = serde_json::from_value(report["at"].take()).expect("a moment");
            let told: Told = serde_json::from_value(report["told"].take()).expect("what it was made from");
            // A status is up to a second old, which is long for somebody who asks whether a lease is over.
            if let (Some(holds), Some((_, counters))) = (told.holds_lease(), &mut latest.status) {
                counters.lease_valid = holds;
            }
            told.event(|event| ears.recorder.event(silo, at, event));
        }
        Some("reached") => {
            latest.reached = serde_json::from_value(report["probes"].take()).expect("counts");
        }
        _ => {}
    }
    None
}
