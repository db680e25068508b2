//! Keeps one silo process running: starts it, listens to it, starts it again, stops it.

use super::cluster::{Cluster, Process};
use crate::report::Report;
use crate::silo_command::EXIT_HAD_TO_STOP;
use crate::store_choice::STORE_VARIABLE;
use anyhow::{Context, Result, bail};
use quark::ClusterClient;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// What a silo's supervisor is to do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Order {
    /// Keep it running.
    Run,
    /// Let it leave in order, then end.
    Stop,
    /// End it now.
    Kill,
}

/// Supervises the silo of a slot until it is ordered to end.
///
/// Errors: the silo has never served and cannot be started; the text is its own.
pub async fn supervise(
    cluster: Arc<Cluster>,
    client: Arc<ClusterClient>,
    slot: usize,
    mut orders: watch::Receiver<Order>,
) -> Result<()> {
    let (mut pause, mut failures, mut has_served) = (PAUSE_MIN, 0, false);
    while *orders.borrow() == Order::Run {
        let started_at = Instant::now();
        let life = Life::start(&cluster, slot)?;
        let end = life.watch(&cluster, &client, slot, &mut orders).await;
        has_served |= end.served;
        if *orders.borrow() != Order::Run {
            cluster.process(slot, Process::Left);
            break;
        }
        failures = if end.served { 0 } else { failures + 1 };
        if !has_served && failures >= FIRST_STARTS_MAX {
            bail!("{} cannot start: {}", cluster.name(slot), end.reason);
        }
        if started_at.elapsed() > STABLE_AFTER {
            pause = PAUSE_MIN;
        }
        cluster.process(slot, Process::Down);
        cluster.event(format!("{} {}; starting it again in {pause:?}", cluster.name(slot), end.reason));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = orders.wait_for(|order| *order != Order::Run) => {}
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
    cluster.process(slot, Process::Left);
    Ok(())
}

/// One silo process.
struct Life {
    child: Child,
}

/// How it ended.
struct End {
    served: bool,
    reason: String,
}

impl Life {
    fn start(cluster: &Cluster, slot: usize) -> Result<Self> {
        let (name, node) = (cluster.name(slot), &cluster.settings.node);
        let program = std::env::current_exe().context("cannot find this program to start silos with")?;
        let log_path = node.data.join(format!("{name}.log"));
        let log = File::options().create(true).append(true).open(&log_path);
        let log = log.with_context(|| format!("cannot write {log_path:?}: is the folder writable?"))?;
        let mut command = Command::new(&program);
        command.args(["silo", "--name", &name, "--cluster", &node.cluster]).arg("--data").arg(&node.data);
        if let Some(config) = &node.config {
            command.arg("--config").arg(config);
        }
        let child = command
            // Not as an argument, which everybody on the machine can read: there may be a password in it.
            .env(STORE_VARIABLE, node.store.text())
            // Its end tells the silo to stop, also when this process is killed.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            // A group of its own: Ctrl-C in a terminal is for us, and we stop the silos one after another.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {program:?}"))?;
        cluster.spawned(slot, child.id());
        Ok(Self { child })
    }

    /// Listens to it until it has ended.
    async fn watch(
        mut self,
        cluster: &Cluster,
        client: &ClusterClient,
        slot: usize,
        orders: &mut watch::Receiver<Order>,
    ) -> End {
        let mut lines = BufReader::new(self.child.stdout.take().expect("its output is piped")).lines();
        let (mut served, mut told) = (false, None);
        let mut obeyed = Order::Run;
        let kill_at = tokio::time::sleep(Duration::MAX);
        tokio::pin!(kill_at);
        loop {
            tokio::select! {
                line = lines.next_line() => {
                    let Ok(Some(line)) = line else { break };
                    match serde_json::from_str::<Report>(&line) {
                        Ok(Report::Failed { reason }) => told = Some(reason),
                        Ok(report) => if let Some((id, address)) = cluster.reported(slot, &report) {
                            served = true;
                            client.add_gateway(id, &address);
                        },
                        Err(error) => tracing::warn!(slot, %error, line, "a silo's line is no report"),
                    }
                }
                order = next_order(orders, obeyed) => {
                    obeyed = order;
                    if obeyed == Order::Kill {
                        let _ = self.child.start_kill();
                    } else {
                        cluster.process(slot, Process::Stopping);
                        drop(self.child.stdin.take());
                        let patience = cluster.settings.node.silo.shutdown_timeout + STOP_MARGIN;
                        kill_at.as_mut().reset(tokio::time::Instant::now() + patience);
                    }
                }
                () = &mut kill_at => {
                    cluster.event(format!("{} did not stop in time: killed", cluster.name(slot)));
                    let _ = self.child.start_kill();
                    break;
                }
            }
        }
        // Its output has ended: it has, too, or is about to.
        let status = match tokio::time::timeout(STOP_MARGIN, self.child.wait()).await {
            Ok(status) => status,
            Err(_) => {
                let _ = self.child.start_kill();
                self.child.wait().await
            }
        };
        let reason = match (status, told) {
            (Ok(status), Some(told)) if status.code() == Some(EXIT_HAD_TO_STOP.into()) => told,
            (Ok(status), told) => explain(status, told),
            (Err(error), _) => format!("cannot be waited for: {error}"),
        };
        End { served, reason }
    }
}

/// Waits for an order that goes further than `obeyed`. Nobody left to give one means the end.
async fn next_order(orders: &mut watch::Receiver<Order>, obeyed: Order) -> Order {
    let order = orders.wait_for(|order| *order > obeyed).await.map(|order| *order);
    match order {
        Ok(order) => order,
        Err(_) if obeyed == Order::Kill => std::future::pending().await,
        Err(_) => Order::Kill,
    }
}

fn explain(status: ExitStatus, told: Option<String>) -> String {
    match (status.signal(), told) {
        (Some(signal), _) => format!("was killed by signal {signal}"),
        (None, Some(told)) => told,
        (None, None) => format!("ended with {status} and said nothing"),
    }
}

const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// A process that ran for this long and then ended has not failed again at once.
const STABLE_AFTER: Duration = Duration::from_secs(30);
/// A silo that has never served may fail so often (a database that is locked for a moment) before it is given up.
const FIRST_STARTS_MAX: u32 = 3;
/// What a silo gets beyond its own shutdown time-out.
const STOP_MARGIN: Duration = Duration::from_secs(5);
