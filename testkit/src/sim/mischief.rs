//! The faults that are about what a cluster is asked to do: imps, told to call one another.

use super::SimCluster;
use super::effects::Counts;
use crate::imps::{Idler, Imp};
use bytes::Bytes;
use futures_util::future::{Either, select};
use quark::{CallError, Client, Failure, Silo};
use quark_chaos::{Fault, Meter};
use quark_env::Clock;
use quark_sim::Host;
use std::sync::Arc;
use std::time::Duration;

/// Calls as the faults of a plan tell it to, from within the silos: each call is made in another one.
pub(super) struct Mischief {
    cluster: SimCluster,
    counts: Arc<Counts>,
    calls: u64,
}

/// How long a call of an imp waits.
const DEADLINE: Duration = Duration::from_secs(3);
/// What huge messages are made of: not a value that would have to be written byte by byte.
static ZEROS: [u8; 8 << 20] = [0; 8 << 20];
/// Among how many actors they choose.
const ACTORS: u64 = 32;

impl Mischief {
    pub(super) fn new(cluster: &SimCluster, counts: &Arc<Counts>) -> Self {
        Self { cluster: cluster.clone(), counts: counts.clone(), calls: 0 }
    }

    /// Whether any silo that runs hosts imps; `None` if none runs.
    pub(super) fn is_possible(&self) -> Option<bool> {
        let (_, silo) = self.cluster.silos().into_iter().next()?;
        Some(silo.kinds().contains(&"imp"))
    }

    /// Does what the fault says, once.
    pub(super) fn make(&mut self, fault: &Fault) {
        match *fault {
            Fault::HotActor { .. } => self.poke("hot".into(), Meter::HotCalls),
            Fault::Burst { calls } => {
                for number in 0..calls {
                    self.poke(format!("burst-{}", number % 256), Meter::Bursts);
                }
            }
            Fault::HugeMessage { bytes } => {
                self.call_from_a_silo(move |client, _, number, counts| async move {
                    let idler = client.actor::<Idler>(&format!("huge-{}", number % ACTORS));
                    let much = ZEROS
                        .get(..bytes as usize)
                        .map_or_else(|| vec![0; bytes as usize].into(), Bytes::from_static);
                    let _ = idler.swallow(much).deadline(DEADLINE).await;
                    counts.add(Meter::HugeCalls, 1);
                })
            }
            Fault::SlowActor { takes } => {
                self.call_from_a_silo(move |client, _, number, counts| async move {
                    let idler = client.actor::<Idler>(&format!("slow-{}", number % 4));
                    let took = idler.dawdle(takes.as_micros() as u64).deadline(takes * 2 + DEADLINE).await;
                    counts.add(Meter::SlowTurns, u64::from(took.is_ok()));
                })
            }
            Fault::CancelledCallers { .. } => {
                self.call_from_a_silo(|client, host, number, counts| async move {
                    let call =
                        client.actor::<Imp>(&format!("left-{}", number % ACTORS)).poke().deadline(DEADLINE);
                    // Some are gone before the call has left, some while it runs.
                    let patience = host.sleep_until(host.now() + Duration::from_micros(number * 97 % 3000));
                    if let Either::Right(_) = select(call.into_future(), patience).await {
                        counts.add(Meter::Withdrawn, 1);
                    }
                })
            }
            Fault::DeadlineZero { .. } => self.call_from_a_silo(|client, _, number, counts| async move {
                let call = client.actor::<Imp>(&format!("late-{}", number % ACTORS)).poke();
                let late = matches!(
                    call.deadline(Duration::ZERO).await,
                    Err(CallError::Failed(Failure::DeadlineBeforeRun))
                );
                counts.add(Meter::Late, u64::from(late));
            }),
            Fault::CallCycle { length } => self.call_from_a_silo(move |client, _, _, counts| async move {
                let names: Vec<_> = (0..length.max(1)).map(|at| format!("circle-{at}")).collect();
                let first = client.actor::<Idler>(&names[0]);
                if let Ok(told) = first.round(names, 0).deadline(DEADLINE).await {
                    counts.add(Meter::Cycles, told);
                }
            }),
            Fault::TimerStorm { timers, every } => self.wind(timers, every),
            _ => {}
        }
    }

    /// The fault is over.
    pub(super) fn end(&mut self, fault: &Fault) {
        if let Fault::TimerStorm { every, .. } = *fault {
            self.wind(0, every);
        }
    }

    fn poke(&mut self, key: String, meter: Meter) {
        self.call_from_a_silo(move |client, _, _, counts| async move {
            let _ = client.actor::<Imp>(&key).poke().deadline(DEADLINE).await;
            counts.add(meter, 1);
        });
    }

    fn wind(&mut self, timers: u32, every: Duration) {
        self.call_from_a_silo(move |client, _, _, counts| async move {
            let wound = client.actor::<Idler>("storm").wind(timers, every.as_micros() as u64);
            if let Ok(ticks) = wound.deadline(DEADLINE).await {
                counts.add(Meter::Ticks, ticks);
            }
        });
    }

    /// Calls from a silo that runs, if one does: the next in turn.
    fn call_from_a_silo<F>(&mut self, call: impl FnOnce(Client, Host, u64, Arc<Counts>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.calls += 1;
        let silos = self.cluster.silos();
        let Some((name, silo)) = silos.get(self.calls as usize % silos.len().max(1)) else { return };
        let silo: &Silo = silo;
        let host = self.cluster.world().host(self.cluster.node(name));
        let task = call(silo.client(), host.clone(), self.calls, self.counts.clone());
        host.spawn("imp", task);
    }
}
