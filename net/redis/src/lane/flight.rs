//! A flight: some requests sent together, and their answers.

use super::links::State;
use super::{Event, Lane};
use crate::fault::{Doubt, Obstacle, Verdict, judge};
use crate::request::{Asker, Request};
use futures_util::future::BoxFuture;
use redis::{Cmd, Pipeline, Value};
use std::collections::VecDeque;
use std::task::Poll;
use std::time::Instant;

/// What came back.
pub(crate) struct Landed {
    link: usize,
    generation: u64,
    requests: Vec<Request>,
    commands: Pipeline,
    /// The replicas that were to confirm, if any were asked.
    awaited: Option<u32>,
    answers: Result<Vec<Value>, String>,
}

impl Lane {
    /// Sends what waits, where it can be sent.
    pub(super) async fn pump(&mut self) {
        self.recover();
        for at in 0..self.links.len() {
            let link = &mut self.links[at];
            match &link.state {
                State::Down(reason) => {
                    let reason = reason.clone();
                    link.waiting.drain(..).for_each(|request| request.refuse(&reason));
                }
                State::Up(_) if link.condemned && link.flights == 0 => self.revive(at),
                _ => {}
            }
            while self.may_fly(at) {
                let flight = self.flight(at);
                self.launch(flight).await;
            }
        }
        self.recover();
    }

    fn may_fly(&self, at: usize) -> bool {
        let link = &self.links[at];
        let most = if self.shared.options.pipeline_max == 1 { ALONE_MAX } else { FLIGHTS_MAX };
        self.remedy.is_none()
            && link.is_up()
            && !link.condemned
            && !link.waiting.is_empty()
            && link.flights < most
    }

    /// Takes requests that wait, and packs them.
    fn flight(&mut self, at: usize) -> BoxFuture<'static, Event> {
        let options = &self.shared.options;
        let link = &mut self.links[at];
        let State::Up(connection) = &link.state else { unreachable!("only what is up may fly") };
        let (mut wire, mut broken) = (connection.wire.clone(), connection.broken.subscribe());
        let tell = connection.broken.clone();
        let many = link.waiting.len().min(options.pipeline_max.max(1));
        let mut requests: Vec<Request> = link.waiting.drain(..many).collect();
        let mut commands = Pipeline::with_capacity(many);
        let floor = self.shared.floor();
        for request in &mut requests {
            request.raise_to(floor);
            if request.ask.is_some() {
                commands.cmd("ASKING");
            }
            commands.add_command(std::mem::replace(&mut request.command, Cmd::new()));
        }
        let commits = requests.iter().any(|request| matches!(request.asker, Asker::Commit { .. }));
        let awaited = (commits && options.wait_replicas > 0).then_some(options.wait_replicas);
        let mut limit = options.request_timeout;
        if let Some(replicas) = awaited {
            commands.cmd("WAIT").arg(replicas).arg(options.wait_timeout.as_millis().max(1) as u64);
            limit += options.wait_timeout;
        }
        link.flights += 1;
        self.flights += 1;
        let generation = link.generation;
        Box::pin(async move {
            let answers = tokio::select! {
                biased;
                answers = tokio::time::timeout(limit, wire.send_packed_commands(&commands, 0, commands.len())) => {
                    match answers {
                        Ok(answers) => answers.map_err(|error| format!("the connection was lost: {error}")),
                        Err(_) => Err(format!("no answer within {limit:?}")),
                    }
                }
                _ = broken.wait_for(|broken| *broken) => Err("the connection was lost".into()),
            };
            if answers.is_err() {
                tell.send_replace(true); // what follows on this connection has no future either
            }
            Event::Landed(Landed { link: at, generation, requests, commands, awaited, answers })
        })
    }

    /// Starts a flight at once: the order in which flights are first polled is the order in which they are sent.
    async fn launch(&mut self, mut flight: BoxFuture<'static, Event>) {
        let started = std::future::poll_fn(|context| Poll::Ready(flight.as_mut().poll(context))).await;
        match started {
            Poll::Ready(Event::Landed(landed)) => self.land(landed),
            Poll::Ready(_) => unreachable!("a flight lands"),
            Poll::Pending => self.events.push(flight),
        }
    }

    pub(super) fn land(&mut self, landed: Landed) {
        let Landed { link, generation, requests, commands, awaited, answers } = landed;
        self.links[link].flights -= 1;
        self.flights -= 1;
        let mut answers: VecDeque<Value> = match answers {
            Ok(answers) => answers.into(),
            Err(reason) => {
                requests.into_iter().for_each(|request| request.doubt(&reason));
                return self.broke(link, generation, reason);
            }
        };
        let unconfirmed = awaited.and_then(|wanted| unconfirmed(wanted, answers.pop_back()));
        let mut commands = commands.cmd_iter();
        for request in requests {
            if request.ask.is_some() {
                answers.pop_front(); // of ASKING
                commands.next();
            }
            let (Some(answer), Some(command)) = (answers.pop_front(), commands.next()) else {
                request.doubt("the server sent fewer answers than it was asked");
                continue;
            };
            let is_commit = matches!(request.asker, Asker::Commit { .. });
            match (answer, &unconfirmed) {
                (Value::ServerError(error), _) => self.judged(link, request, command, judge(&error)),
                (Value::Int(_), Some(reason)) if is_commit => request.doubt(reason),
                (answer, _) => request.answered(answer, &self.shared.seen),
            }
        }
    }

    /// The server did not do as asked.
    fn judged(&mut self, link: usize, mut request: Request, command: &Cmd, verdict: Verdict) {
        match verdict {
            Verdict::Unknown { reason } => request.doubt(&reason),
            Verdict::WrongType => request.wrong_type(),
            Verdict::Refused { reason, doubt } => {
                request.refuse(&reason);
                match doubt {
                    Doubt::Nothing => {}
                    Doubt::Server => self.condemn(link),
                    Doubt::Map => self.look_around(),
                }
            }
            Verdict::Again(obstacle) if self.may_go_again(&mut request) => {
                quark_core::reached!("redis.again");
                request.command = command.clone();
                request.tries = request.tries.saturating_add(1);
                let (slot, tries) = (request.slot, request.tries);
                request.ask = match &obstacle {
                    Obstacle::Ask(node) => crate::address::Endpoint::parse(node),
                    _ => None,
                };
                self.again.insert(request.number, request);
                self.stop_for(link, &obstacle, slot, tries);
            }
            Verdict::Again(_) => request.refuse("its partition is being moved between servers, for too long"),
        }
    }

    /// Whether a request that was not carried out may be sent again: for as long as an answer may take. A slot takes as
    /// long to move as its servers do, so that a number of attempts says little.
    fn may_go_again(&self, request: &mut Request) -> bool {
        let since = *request.first_refused.get_or_insert_with(Instant::now);
        request.tries < TRIES_MIN || since.elapsed() < self.shared.options.request_timeout
    }
}

/// Why commits of this flight cannot be called durable, if they cannot.
fn unconfirmed(wanted: u32, answer: Option<Value>) -> Option<String> {
    let confirmed = match answer {
        Some(Value::Int(confirmed)) => confirmed,
        _ => 0,
    };
    (confirmed < i64::from(wanted)).then(|| {
        quark_core::reached!("redis.unconfirmed");
        format!("the primary has it, but only {confirmed} of {wanted} replicas have confirmed it")
    })
}

/// Flights on their way at once on one connection: enough that the server always has the next one to work on, few
/// enough that what waits meanwhile makes large ones.
const FLIGHTS_MAX: usize = 3;
/// The same where each request flies alone.
const ALONE_MAX: usize = 48;
/// How often a request is sent again at least before the caller hears of it.
const TRIES_MIN: u8 = 20;
