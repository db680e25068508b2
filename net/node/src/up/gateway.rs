//! HTTP's way to the actors: names become kinds and methods, failures become problems.

use super::cluster::Cluster;
use super::load::Load;
use crate::bank;
use quark::actor::{Contract, Method};
use quark::core::ActorId;
use quark::{CallError, Client, Failure};
use quark_http::{ActorCall, Backend, BoxFuture, Health, Problem, Reason};
use serde_json::{Value, json};
use std::sync::Arc;

/// Answers HTTP through a client of the cluster.
pub struct Gateway {
    /// Issues the calls.
    pub client: Client,
    /// What is known of the silos.
    pub cluster: Arc<Cluster>,
    /// What the load has seen.
    pub load: Arc<Load>,
}

impl Backend for Gateway {
    fn call(&self, call: ActorCall) -> BoxFuture<Result<Value, Problem>> {
        match self.prepare(&call) {
            Ok(outcome) => Box::pin(async move {
                outcome.await.map_err(|error| match error {
                    CallError::App(refusal) => refused(&call, refusal),
                    CallError::Failed(failure) => failed(failure),
                })
            }),
            Err(problem) => Box::pin(std::future::ready(Err(problem))),
        }
    }

    fn cluster(&self) -> Value {
        let mut cluster = self.cluster.to_json();
        cluster["load"] = self.load.view().to_json();
        cluster
    }

    fn health(&self) -> Health {
        let (serving, silos) = (self.cluster.serving(), self.cluster.settings.silos);
        let is_serving = serving > 0 && !self.cluster.is_stopping();
        let status = match serving {
            _ if self.cluster.is_stopping() => "stopping",
            0 => "down",
            serving if serving < usize::from(silos) => "degraded",
            _ => "ok",
        };
        Health { is_serving, details: json!({ "status": status, "serving": serving, "silos": silos }) }
    }

    fn greeting(&self) -> String {
        let mut text = format!("Quark, cluster `{}`\n\n", self.cluster.settings.node.cluster);
        for contract in bank::contracts() {
            for method in contract.methods {
                let arguments: Vec<String> =
                    method.arguments.iter().map(|(name, kind)| format!("\"{name}\": {kind}")).collect();
                let (kind, name, arguments) = (contract.kind, method.name, arguments.join(", "));
                text.push_str(&format!("POST /actors/{kind}/{{key}}/{name} {{{arguments}}}\n"));
            }
        }
        text.push_str("GET  /cluster\nGET  /health\n");
        text
    }
}

type Outcome = quark::env::BoxFuture<'static, Result<Value, CallError<Value>>>;

impl Gateway {
    fn prepare(&self, call: &ActorCall) -> Result<Outcome, Problem> {
        let (contract, method) = find(&call.kind, &call.method)?;
        let actor = ActorId::new(contract.kind, &call.key)
            .map_err(|error| Problem::new(Reason::Malformed, error.to_string(), "choose a shorter key"))?;
        self.client.handle(actor).call_json(method, &call.arguments, None).map_err(|error| {
            Problem::new(
                Reason::BadArguments,
                error.to_string(),
                format!("`{}` takes {}", method.name, takes(method)),
            )
        })
    }
}

fn find(kind: &str, method: &str) -> Result<(&'static Contract, &'static Method), Problem> {
    let contracts = bank::contracts();
    let contract = contracts.iter().find(|contract| contract.kind == kind).ok_or_else(|| {
        let kinds: Vec<&str> = contracts.iter().map(|contract| contract.kind).collect();
        let error = format!("no actor of kind `{kind}` is registered");
        Problem::new(Reason::NotFound, error, format!("the kinds are: {}", kinds.join(", ")))
    })?;
    let found = contract.method_named(method).ok_or_else(|| {
        let methods: Vec<&str> = contract.methods.iter().map(|method| method.name).collect();
        let error = format!("kind `{kind}` has no method `{method}`");
        Problem::new(Reason::NotFound, error, format!("its methods are: {}", methods.join(", ")))
    })?;
    Ok((contract, found))
}

/// What a method takes, in words.
fn takes(method: &Method) -> String {
    if method.arguments.is_empty() {
        return "no arguments: leave the body empty".into();
    }
    let arguments: Vec<String> =
        method.arguments.iter().map(|(name, kind)| format!("\"{name}\" ({kind})")).collect();
    format!("a JSON object with {}", arguments.join(", "))
}

fn refused(call: &ActorCall, refusal: Value) -> Problem {
    let error = format!("{}/{} refused `{}`", call.kind, call.key, call.method);
    let problem = Problem::new(Reason::Refused, error, "`refusal` says why; nothing was changed");
    Problem { refusal: Some(refusal), ..problem }
}

fn failed(failure: Failure) -> Problem {
    let retry_after = match &failure {
        Failure::Overloaded { retry_after, .. } | Failure::Quarantined { retry_after } => Some(*retry_after),
        _ => None,
    };
    let (reason, remedy) = match &failure {
        Failure::Indeterminate { .. } => {
            (Reason::Indeterminate, "it may have happened: read the state back before you repeat it")
        }
        Failure::UnknownKind { .. } | Failure::UnknownMethod { .. } => {
            (Reason::NotFound, "GET / shows what there is")
        }
        Failure::BadArguments { .. } => (Reason::BadArguments, "GET / shows what the method takes"),
        failure if failure.may_retry() => (Reason::Unavailable, "it did not happen: try again"),
        _ => (Reason::Unavailable, "it did not happen, and will not before somebody looks into it"),
    };
    Problem { retry_after, ..Problem::new(reason, failure.to_string(), remedy) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_is_unknown_is_named_with_what_there_is() {
        let kind = find("user", "deposit").expect_err("no such kind");
        assert!(kind.error.contains("`user`") && kind.remedy.contains("account"), "{kind:?}");
        let method = find("account", "steal").expect_err("no such method");
        assert!(method.error.contains("`steal`") && method.remedy.contains("deposit"), "{method:?}");
    }

    #[test]
    fn a_failure_says_by_its_status_whether_it_happened() {
        let doubt = failed(Failure::Indeterminate { reason: "the silo died".into() });
        assert_eq!((doubt.reason, doubt.retry_after), (Reason::Indeterminate, None));
        let overload = failed(Failure::Overloaded {
            what: "the mailbox".into(),
            retry_after: Duration::from_millis(50),
        });
        assert_eq!(
            (overload.reason, overload.retry_after),
            (Reason::Unavailable, Some(Duration::from_millis(50)))
        );
        assert!(overload.remedy.contains("did not happen"));
    }
}
