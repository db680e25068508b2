//! The written code, run: references on one side, dispatch on the other, and no silo between.

use crate::actor::{Access, Actor, ArgumentError, Dispatch, MethodError, MethodResult};
use crate::call::{ActorHandle, CallRequest, Issuer, Outcome};
use crate::context::ActorContext;
use crate::error::{CallError, Failure};
use crate::{Deserialize, Serialize};
use bytes::Bytes;
use futures_util::FutureExt;
use parking_lot::Mutex;
use quark_core::{ActorId, Epoch, Generation, Instant, MethodId, SiloId, SiloName, WallTime};
use quark_env::{BoxFuture, Clock, Sleep};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::future::IntoFuture;
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Refused {
    balance: u64,
}

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
struct Account {
    balance: u64,
    log: Vec<String>,
}

#[quark::actor(kind = "account", durable, placement = least_loaded)]
impl Account {
    const LIMIT: u64 = 1_000;

    fn limit() -> u64 {
        Self::LIMIT
    }

    #[quark(local)]
    fn note(&mut self, text: &str) {
        self.log.push(text.into());
    }

    #[quark(on_activate)]
    async fn opened(&mut self, ctx: &ActorContext) -> Result<(), Refused2> {
        if ctx.id().key() == "closed" {
            return Err(Refused2);
        }
        self.note("opened");
        Ok(())
    }

    #[quark(on_deactivate)]
    fn closed(&mut self) {
        self.note("closed");
    }

    /// Adds to the balance.
    fn deposit(&mut self, amount: u64) -> u64 {
        self.balance += amount;
        self.balance
    }

    async fn withdraw(&mut self, ctx: &ActorContext, amount: u64) -> Result<u64, Refused> {
        std::future::ready(()).await;
        self.note(ctx.id().key());
        if amount > self.balance {
            return Err(Refused { balance: self.balance });
        }
        self.balance -= amount;
        Ok(self.balance)
    }

    fn balance(&self) -> u64 {
        self.balance
    }

    async fn copy(&self) -> Self {
        self.clone()
    }

    fn clear(&mut self) {
        self.log.clear();
    }

    // Names that the written code uses for its own locals.
    fn shadow(&self, ctx: u8, args: u8, method: u8, json: u8, value: u8, error: u8) -> Vec<u8> {
        vec![ctx, args, method, json, value, error]
    }

    #[quark(name = "type")]
    fn r#match(&self, r#type: Option<String>, mut list: Vec<u8>) -> (Option<String>, usize) {
        list.push(0);
        (r#type, list.len())
    }
}

/// Not a serde type: a hook's error is text for people.
#[derive(Debug)]
struct Refused2;

impl std::fmt::Display for Refused2 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the account is closed")
    }
}

/// A clock that stands still.
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Instant {
        Instant::NEVER
    }
    fn wall(&self) -> WallTime {
        WallTime::default()
    }
    fn sleep_until(&self, _: Instant) -> Sleep {
        Box::pin(std::future::pending())
    }
}

/// An issuer with the one actor behind it.
struct Direct<A> {
    actor: Mutex<A>,
    told: Mutex<Vec<CallRequest>>,
}

impl<A: Actor> Issuer for Direct<A> {
    fn ask(&self, request: CallRequest) -> BoxFuture<'static, Result<Bytes, Outcome>> {
        let outcome = run(&mut *self.actor.lock(), request.method, &request.args);
        Box::pin(std::future::ready(outcome.map_err(|error| match error {
            MethodError::App(bytes) => Outcome::App(bytes),
            MethodError::UnknownMethod => Outcome::Failed(Failure::UnknownMethod {
                kind: A::KIND.into(),
                method: request.method_name.into(),
            }),
            MethodError::BadArguments(reason) | MethodError::BadResult(reason) => {
                Outcome::Failed(Failure::BadArguments { method: request.method_name.into(), reason })
            }
        })))
    }

    fn tell(&self, request: CallRequest) -> Result<(), Failure> {
        self.told.lock().push(request);
        Ok(())
    }
}

fn id(kind: &str, key: &str) -> ActorId {
    ActorId::new(kind, key).expect("valid")
}

fn context(key: &str) -> ActorContext {
    let silo = SiloId::new(SiloName::new("a").expect("valid"), Generation(1));
    let issuer = Arc::new(Direct { actor: Mutex::new(Account::default()), told: Mutex::default() });
    ActorContext {
        id: id("account", key),
        silo,
        epoch: Epoch(1),
        deadline: Instant::NEVER,
        clock: Arc::new(Stopped),
        calls: crate::calls::Calls::through(issuer),
        headers: Arc::new([]),
        staging: None,
        lent: None,
        activation: std::sync::Weak::new(),
    }
}

/// Runs a method by the access that the contract says.
fn run<A: Actor>(actor: &mut A, method: MethodId, args: &[u8]) -> MethodResult {
    let ctx = context("one");
    let access = A::contract().method(method).map(|method| method.access);
    let dispatch = match access {
        Some(Access::Shared) => actor.call_ref(&ctx, method, args),
        _ => actor.call_mut(&ctx, method, args),
    };
    match dispatch {
        Dispatch::Ready(result) => result,
        Dispatch::Future(future) => future.now_or_never().expect("nothing here waits"),
    }
}

fn account(balance: u64) -> (Arc<Direct<Account>>, AccountRef) {
    let direct =
        Arc::new(Direct { actor: Mutex::new(Account { balance, log: Vec::new() }), told: Mutex::default() });
    let handle = ActorHandle::new(direct.clone(), id("account", "one"));
    (direct, Account::reference(handle))
}

fn now<F: IntoFuture>(call: F) -> F::Output {
    call.into_future().now_or_never().expect("nothing here waits")
}

fn named(name: &str) -> &'static crate::actor::Method {
    Account::contract().method_named(name).expect("in the contract")
}

#[test]
fn a_call_travels_and_returns_typed() {
    let (_, account) = account(10);
    let deposited: Result<u64, CallError<Infallible>> = now(account.deposit(5));
    assert_eq!(deposited, Ok(15));
    let withdrawn: Result<u64, CallError<Refused>> = now(account.withdraw(15));
    assert_eq!(withdrawn, Ok(0));
    assert_eq!(now(account.withdraw(1)), Err(CallError::App(Refused { balance: 0 })));
    assert_eq!(now(account.balance()), Ok(0));
    assert_eq!(now(account.clear()), Ok(()));
    assert_eq!(now(account.copy()), Ok(Account::default()));
    assert_eq!(now(account.shadow(1, 2, 3, 4, 5, 6)), Ok(vec![1, 2, 3, 4, 5, 6]));
    assert_eq!(now(account.r#match(Some("a".into()), vec![7])), Ok((Some("a".into()), 2)));
    assert_eq!(account.id(), &id("account", "one"));
    assert_eq!(format!("{:?}", account.clone()), "AccountRef(→account/one)");
}

#[test]
fn the_context_reaches_the_method_and_not_the_wire() {
    let (direct, account) = account(1);
    now(account.withdraw(1)).expect("covered");
    assert_eq!(direct.actor.lock().log, ["one"]);
    assert_eq!(named("withdraw").arguments, [("amount", "u64")]);
}

#[test]
fn a_tell_carries_what_an_ask_would() {
    let (direct, account) = account(0);
    account.deposit(300).idempotency_key(7).tell().expect("accepted");
    let told = direct.told.lock().pop().expect("told");
    assert_eq!((told.method, told.method_name), (named("deposit").id, "deposit"));
    assert_eq!(told.idempotency.map(|key| key.get()), Some(7));
    run(&mut *direct.actor.lock(), told.method, &told.args).expect("runs");
    assert_eq!(direct.actor.lock().balance, 300);
}

#[test]
fn a_synchronous_method_is_ready_and_an_async_one_is_a_future() {
    let (mut actor, ctx) = (Account::default(), context("one"));
    let nothing = super::encode_arguments(&()).expect("encodes");
    assert!(matches!(actor.call_ref(&ctx, named("balance").id, &nothing), Dispatch::Ready(Ok(_))));
    assert!(matches!(actor.call_ref(&ctx, named("copy").id, &nothing), Dispatch::Future(_)));
    let amount = super::encode_arguments(&(1_u64,)).expect("encodes");
    assert!(matches!(actor.call_mut(&ctx, named("withdraw").id, &amount), Dispatch::Future(_)));
}

#[test]
fn bytes_that_are_no_arguments_never_reach_the_method() {
    let (mut actor, ctx) = (Account::default(), context("one"));
    for (name, args) in [("deposit", &[][..]), ("deposit", &[1, 1][..]), ("withdraw", &[253, 1][..])] {
        let Dispatch::Ready(outcome) = actor.call_mut(&ctx, named(name).id, args) else {
            panic!("{name} with {args:?} must fail before there is a future");
        };
        assert!(matches!(outcome, Err(MethodError::BadArguments(_))), "{name} with {args:?}: {outcome:?}");
    }
    assert_eq!(actor, Account::default());
}

#[test]
fn a_method_is_known_under_its_own_access_only() {
    let (mut actor, ctx) = (Account::default(), context("one"));
    let unknown =
        |dispatch: Dispatch<'_>| matches!(dispatch, Dispatch::Ready(Err(MethodError::UnknownMethod)));
    assert!(unknown(actor.call_mut(&ctx, named("balance").id, &[])));
    assert!(unknown(actor.call_ref(&ctx, named("deposit").id, &[1])));
    assert!(unknown(actor.call_ref(&ctx, MethodId(0), &[])));
}

#[test]
fn hooks_run_and_may_refuse() {
    let mut actor = Account::default();
    assert_eq!(actor.on_activate(&context("one")).now_or_never(), Some(Ok(())));
    assert_eq!(actor.on_deactivate(&context("one")).now_or_never(), Some(()));
    assert_eq!(actor.log, ["opened", "closed"]);
    let refused = actor.on_activate(&context("closed")).now_or_never();
    assert_eq!(refused, Some(Err("the account is closed".to_owned())));
}

#[test]
fn a_durable_state_round_trips_and_another_kind_has_none() {
    let state = Account { balance: 7, log: vec!["a".into()] };
    let bytes = state.encode_state().expect("encodes");
    assert_eq!(Account::decode_state(1, &bytes).expect("decodes"), state);
    assert!(Account::decode_state(1, &bytes[..1]).is_err());
    let (name, volatile) = (Volatile::KIND, Volatile);
    assert!(volatile.encode_state().expect_err("no state").to_string().contains(name));
    assert!(Volatile::decode_state(1, &[]).is_err());
    assert_eq!(Account::create(&id("account", "new")), Account::default());
}

#[derive(Default)]
struct Volatile;

#[quark::actor(kind = "volatile")]
impl Volatile {
    fn nothing(&self) {}
}

fn by_json(account: &AccountRef, method: &str, args: Value) -> Result<Value, String> {
    let call = account.0.call_json(named(method), &args, None).map_err(|error| error.to_string())?;
    now(call).map_err(|error| error.to_string())
}

#[test]
fn json_goes_in_by_name_and_comes_out() {
    let (_, account) = account(10);
    assert_eq!(by_json(&account, "deposit", json!({"amount": 5})), Ok(json!(15)));
    assert_eq!(by_json(&account, "balance", Value::Null), Ok(json!(15)));
    assert_eq!(by_json(&account, "balance", json!({})), Ok(json!(15)));
    assert_eq!(by_json(&account, "clear", json!({})), Ok(Value::Null));
    assert_eq!(by_json(&account, "type", json!({"list": [], "type": null})), Ok(json!([null, 1])));
    assert_eq!(
        by_json(&account, "withdraw", json!({"amount": 50})),
        Err("the actor refused: Object {\"balance\": Number(15)}".into())
    );
}

#[test]
fn bad_json_is_refused_by_name() {
    let check = |method: &str, args: Value, expect: &str| {
        let error = (named(method).arguments_from_json)(&args).expect_err(expect);
        assert_eq!(error.to_string(), expect);
    };
    check("deposit", json!({}), "argument `amount` (u64) is missing");
    check(
        "deposit",
        json!({"amount": 1, "currency": "EUR"}),
        "there is no argument `currency`; the arguments are: amount: u64",
    );
    check("balance", json!({"of": 1}), "there is no argument `of`; the arguments are: none");
    check("deposit", json!([5]), "the arguments must be a JSON object like {\"amount\": 0}");
    check("deposit", Value::Null, "the arguments must be a JSON object like {\"amount\": 0}");
    check("type", json!(1), "the arguments must be a JSON object like {\"type\": null, \"list\": []}");
    check(
        "deposit",
        json!({"amount": "5"}),
        "argument `amount` is no u64: invalid type: string \"5\", expected u64",
    );
    let huge = json!({"type": "x".repeat(5 << 20), "list": []});
    let error = (named("type").arguments_from_json)(&huge).expect_err("too large");
    assert!(matches!(error, ArgumentError::Encoding { .. }), "{error}");
}

#[test]
fn an_error_of_a_method_that_has_none_is_incompatible() {
    struct Foreign;
    impl Issuer for Foreign {
        fn ask(&self, _: CallRequest) -> BoxFuture<'static, Result<Bytes, Outcome>> {
            Box::pin(std::future::ready(Err(Outcome::App(Bytes::from_static(&[1])))))
        }
        fn tell(&self, _: CallRequest) -> Result<(), Failure> {
            Ok(())
        }
    }
    let account = Account::reference(ActorHandle::new(Arc::new(Foreign), id("account", "one")));
    let outcome = now(account.balance());
    assert!(matches!(outcome, Err(CallError::Failed(Failure::Incompatible { .. }))), "{outcome:?}");
    assert!((named("balance").error_to_json)(&[1]).is_err());
}

#[test]
fn the_options_reach_the_trait() {
    assert_eq!((Account::KIND, Account::DURABLE), ("account", true));
    assert_eq!(Account::PLACEMENT, super::Placement::LeastLoaded);
    assert_eq!((Volatile::DURABLE, Volatile::PLACEMENT), (false, super::Placement::RingOwner));
    assert_eq!(Account::limit(), 1_000);
    assert!(Account::contract().method_named("note").is_none(), "it is local");
    assert!(Account::contract().method_named("opened").is_none(), "it is a hook");
}
