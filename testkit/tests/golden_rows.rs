//! The rows that the runtime has written into databases out there, which today's code has to read and write alike.

use quark::rows::RowKind;
use quark::{Deserialize, Serialize, Slot};
use quark_core::membership::rows::{self, StoredRow};
use quark_core::membership::table::{LeaseRow, SCHEMA, SiloRow, Tenure, ViewRow};
use quark_core::view::Status;
use quark_core::{Generation, SiloId, SiloName, Version, ViewVersion};
use quark_testkit::golden::Golden;
use serde_json::json;
use std::time::Duration;

/// A slot as it is first, and one that has had another shape.
#[quark::state]
#[derive(Default, Serialize, Deserialize)]
struct Shelf {
    plain: Slot<Vec<String>>,
    #[quark(name = "of-version-2", version = 2, upgrades(u32))]
    counted: Slot<u64>,
}

#[quark::actor(kind = "slot", durable)]
impl Shelf {
    fn put(&mut self, title: String) {
        self.plain.push(title);
        *self.counted += 1;
    }
}

#[test]
fn the_runtime_s_own_rows_are_what_they_were() {
    let mut golden = Golden::open(concat!(env!("CARGO_MANIFEST_DIR"), "/golden/rows.txt"));
    let owner = json!({ "claims": 300, "silo": { "name": "silo-a", "generation": 7 } });
    golden.row(RowKind::Owner, [("an owner", owner)]);
    let taken = |outcome| json!({ "number": 129, "method": 0x8C62_AC7D_u32, "arguments": u64::MAX, "outcome": outcome });
    golden.row(
        RowKind::Inbox,
        [("a result", taken(json!({ "Ok": [5, 0, 255] }))), ("a refusal", taken(json!({ "App": [] })))],
    );
    let reminder = |schedule, policy, last_due| {
        json!({
            "plan": {
                "schedule": schedule, "policy": policy, "grace": { "secs": 60, "nanos": 1 },
                "method": 7, "args": [1, 2, 3],
            },
            "next_due": 1_700_000_000_000_000_000_i64, "fired": 3, "last_due": last_due, "missed": 251,
        })
    };
    let every = json!({ "Every": { "first_ns": 5, "period_ns": 60_000_000_000_u64 } });
    let cron = json!({ "Cron": { "expression": "0 9 1 * *", "zone": "Europe/Berlin" } });
    let due = json!(1_690_000_000_000_000_000_i64);
    golden.row(
        RowKind::Reminder,
        [
            ("once", reminder(json!({ "Once": { "at_ns": 1 } }), "FireOnce", json!(null))),
            ("every minute", reminder(every, "FireAll", due.clone())),
            ("by cron", reminder(cron, "Skip", due)),
        ],
    );
    let actor = quark_core::ActorId::of_tenant("shop", "customer", "Müller/7").expect("valid");
    let index = json!({ "actor": actor.clone(), "name": "invoice", "due": 1_700_000_000_000_000_001_i64 });
    golden.row(RowKind::ReminderIndex, [("a customer's invoice", index)]);
    let letter = json!({
        "to": actor, "method": 0x8C62_AC7D_u32, "args": [5, 0, 255], "headers": [["tenant", "shop"]],
    });
    golden.row(RowKind::Letter, [("a payment", letter)]);
    golden.row(RowKind::LetterMark, [("a sender's last", json!({ "epoch": 300, "number": 70_000 }))]);
    let mut shelf = Shelf::default();
    shelf.put("Emma".into());
    *shelf.counted += 299;
    golden.slots(&[("a default", Shelf::default()), ("some content", shelf)]);
    membership(&mut golden);
    golden.finish();
}

fn membership(golden: &mut Golden) {
    let view = ViewRow {
        cluster_id: "prod".into(),
        version: ViewVersion(300),
        generation_floor: Generation(2),
        forgotten: ViewVersion(17),
    };
    let silo = SiloRow {
        id: SiloId::new(SiloName::new("silo-a").expect("valid"), Generation(7)),
        address: "10.0.0.1:11111".into(),
        status: Status::Active,
        grace: Duration::from_millis(3300),
        contract: u64::MAX,
        tenure: Some(Tenure { since: ViewVersion(4), left: None }),
        elders: vec![Tenure { since: ViewVersion(1), left: Some(ViewVersion(3)) }],
        before: None,
    };
    let lease = LeaseRow { generation: Generation(7), seq: 70_000, view: ViewVersion(300) };
    table_row(golden, "membership-view", &view);
    table_row(golden, "membership-silo", &silo);
    table_row(golden, "membership-lease", &lease);
}

fn table_row<R: StoredRow>(golden: &mut Golden, kind: &str, row: &R) {
    let json = |row: &R| serde_json::to_value(row).expect("plain data");
    golden.values(kind, SCHEMA, [("a row", rows::encode(row), json(row))], |bytes| {
        rows::decode::<R>(bytes, Version(300)).map(|row| json(&row)).map_err(|error| error.to_string())
    });
}

#[test]
fn a_row_s_kind_is_known_by_its_name() {
    let check = |name: &str, kind: Option<RowKind>| assert_eq!(RowKind::of_row(name), kind, "{name}");
    check("owner", Some(RowKind::Owner));
    check("in/000000000000000000000000000000ff", Some(RowKind::Inbox));
    check("r/invoice", Some(RowKind::Reminder));
    check("0000018bcfe56800/000000000000000000000000000000ff", Some(RowKind::ReminderIndex));
    check("out/000000000000012c/0000000000000000", Some(RowKind::Letter));
    check("~seen/a0.7/account/alice", Some(RowKind::LetterMark));
    check("state", None);
    check("mark", None);
    check("s/history", None);
}
