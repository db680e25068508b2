//! The proof that the checkers can find bugs at all: each bug planted on purpose must be caught.
//!
//! A bug is one line, `if quark_core::mutant!("m01") { wrong } else { right }`, compiled in only with the feature
//! `mutants`. The registry below says where it stands and who is expected to catch it; the gate runs each one and
//! fails when a bug survives its budget of seeds. A bug that is caught by nobody is a scenario that is missing.

mod gate;
mod page;
mod summary;

pub use gate::gate;

use crate::report::Finding;
use crate::tree::File;

/// One planted bug.
pub struct Mutant {
    /// As in `mutant!("m01")`.
    pub id: &'static str,
    /// What it breaks, in one line.
    pub what: &'static str,
    /// The file or folder that holds it: at least one line below it says `mutant!("…")` with this id.
    pub site: &'static str,
    /// Who has to notice.
    pub killer: Killer,
    /// How many seeds of each story it may take.
    pub seeds: u64,
}

/// Who is expected to notice a bug.
pub enum Killer {
    /// One of these stories, by this checker. Another checker may be first; the table shows it.
    Story {
        /// Names as the harness lists them.
        names: &'static [&'static str],
        /// The expected checker.
        checker: &'static str,
    },
    /// A test that switches the bug on itself (`quark_core::mutant::activate`) and passes only if its oracle
    /// notices. It runs alone in its process, because the switch is the process's.
    Test {
        /// Its package, which has the feature `mutants`.
        package: &'static str,
        /// Its name, or the start of it.
        filter: &'static str,
    },
    /// A test target of quark-core that explores every interleaving with the bug switched on, and passes only if
    /// one of them breaks.
    Loom {
        /// The target's name.
        target: &'static str,
        /// The test's name, or the start of it.
        filter: &'static str,
    },
}

/// Every planted bug. The numbers are fixed for ever; gaps are bugs of parts that do not exist yet: see docs/hollow.md.
pub const REGISTRY: &[Mutant] = &[
    Mutant {
        id: "m01",
        what: "the directory registers without looking whether the place is free",
        site: "runtime/core/src/directory",
        killer: Killer::Story { names: &["first-call-race", "directory-owner-dies"], checker: "I1" },
        seeds: 200,
    },
    Mutant {
        id: "m02",
        what: "a lease is measured from the answer's receipt, not from the request's sending",
        site: "runtime/core/src/membership",
        killer: Killer::Story { names: &["clean-partition", "zombie-silo"], checker: "I1" },
        seeds: 200,
    },
    Mutant {
        id: "m03",
        what: "a durable write goes out without the check of its owner row",
        site: "runtime/silo/src",
        killer: Killer::Story { names: &["zombie-silo", "clean-partition"], checker: "I1" },
        seeds: 200,
    },
    Mutant {
        id: "m04",
        what: "a silo goes on serving after its eviction",
        site: "runtime/core/src/membership",
        killer: Killer::Story { names: &["zombie-silo", "clean-partition"], checker: "I1" },
        seeds: 200,
    },
    Mutant {
        id: "m05",
        what: "an actor ends, to live elsewhere, before what it owes the store is stored",
        site: "runtime/silo/src/bring_up.rs",
        killer: Killer::Test { package: "quark-scenarios", filter: "m05" },
        seeds: 0,
    },
    Mutant {
        id: "m06",
        what: "what waits while a range changes hands is forgotten",
        site: "runtime/silo/src/placing.rs",
        killer: Killer::Story { names: &["first-call-race"], checker: "I5" },
        seeds: 200,
    },
    Mutant {
        id: "m07",
        what: "the keys of calls that were taken are forgotten with the activation",
        site: "runtime/silo/src",
        killer: Killer::Story { names: &["same-key"], checker: "I3" },
        seeds: 200,
    },
    Mutant {
        id: "m08",
        what: "a call without a key is repeated although it may have run",
        site: "runtime/silo/src",
        killer: Killer::Story { names: &["zombie-silo", "ambiguous-write"], checker: "I2" },
        seeds: 200,
    },
    Mutant {
        id: "m09",
        what: "a silo overlooks one of the shards of reminders that it owns",
        site: "runtime/silo/src/reminders",
        killer: Killer::Story { names: &["reminder-owner-change"], checker: "I10" },
        seeds: 200,
    },
    Mutant {
        id: "m10",
        what: "a reminder's next due time is computed from now instead of from its schedule",
        site: "runtime/core/src/schedule",
        killer: Killer::Test { package: "quark-core", filter: "m10" },
        seeds: 0,
    },
    Mutant {
        id: "m11",
        what: "an exclusive turn begins while another one of the same actor is suspended",
        site: "runtime/silo/src",
        killer: Killer::Story { names: &["pressure-cycle"], checker: "P8" },
        seeds: 200,
    },
    Mutant {
        id: "m12",
        what: "a call whose caller went away keeps its place in the table",
        site: "runtime/silo/src/pending.rs",
        killer: Killer::Story { names: &["swarm"], checker: "I11" },
        seeds: 200,
    },
    Mutant {
        id: "m13",
        what: "credit is given back twice",
        site: "runtime/core/src/credit",
        killer: Killer::Test { package: "quark-core", filter: "m13" },
        seeds: 0,
    },
    Mutant {
        id: "m14",
        what: "the ring is off by one where it wraps around",
        site: "runtime/core/src/ring",
        killer: Killer::Test { package: "quark-core", filter: "m14" },
        seeds: 0,
    },
    Mutant {
        id: "m15",
        what: "a view is published without releasing what it points to",
        site: "runtime/core/src/view_cell",
        killer: Killer::Loom { target: "loom_m15", filter: "" },
        seeds: 0,
    },
    Mutant {
        id: "m16",
        what: "an older incarnation or an older view is accepted",
        site: "runtime/core/src/membership",
        killer: Killer::Story {
            names: &["redis-failover-rewinds-members", "same-name-reborn"],
            checker: "P12",
        },
        seeds: 200,
    },
    Mutant {
        id: "m17",
        what: "a sign of life does not end a suspicion",
        site: "runtime/core/src/membership",
        killer: Killer::Test { package: "quark-testkit", filter: "m17" },
        seeds: 0,
    },
    Mutant {
        id: "m18",
        what: "one voucher too few is a majority",
        site: "runtime/core/src/membership",
        killer: Killer::Test { package: "quark-testkit", filter: "m18" },
        seeds: 0,
    },
    Mutant {
        id: "m19",
        what: "Redis is asked what it has, and then told what to write, in two steps",
        site: "net/redis/src",
        killer: Killer::Test { package: "quark-redis", filter: "m19" },
        seeds: 200,
    },
    Mutant {
        id: "m20",
        what: "a reply reaches whoever holds its correlation number now",
        site: "runtime/silo/src",
        killer: Killer::Story { names: &["rotten-pipe"], checker: "I2" },
        seeds: 200,
    },
    Mutant {
        id: "m22",
        what: "the store ignores the version that a write expects",
        site: "sim/src",
        killer: Killer::Story { names: &["create-race"], checker: "I2" },
        seeds: 200,
    },
    Mutant {
        id: "m23",
        what: "a deadline is not carried across a hop",
        site: "runtime/silo/src",
        killer: Killer::Story { names: &["rotten-pipe"], checker: "P4" },
        seeds: 200,
    },
    Mutant {
        id: "m24",
        what: "control messages share the users' queue",
        site: "runtime/core/src/mailbox",
        killer: Killer::Test { package: "quark-core", filter: "m24" },
        seeds: 0,
    },
    Mutant {
        id: "m25",
        what: "a reminder goes on after its cancellation",
        site: "runtime/silo/src/reminders",
        killer: Killer::Story { names: &["reminder-owner-change"], checker: "I10" },
        seeds: 200,
    },
    Mutant {
        id: "m26",
        what: "what a program does not know of a state is dropped, and the rest written back",
        site: "runtime/core/src/codec.rs",
        killer: Killer::Test { package: "quark-scenarios", filter: "m26" },
        seeds: 0,
    },
    Mutant {
        id: "m27",
        what: "a placement is drawn in the order of a randomly seeded map",
        site: "runtime/core/src/placement",
        killer: Killer::Test { package: "quark-scenarios", filter: "m27" },
        seeds: 0,
    },
    Mutant {
        id: "m28",
        what: "code below the traits reads the real clock",
        site: "runtime/silo/src/membership",
        killer: Killer::Story { names: &["crash-no-leave"], checker: "tripwire" },
        seeds: 200,
    },
    Mutant {
        id: "m29",
        what: "a reminder's index row is deleted before its actor has answered",
        site: "runtime/core/src/reminder",
        killer: Killer::Test { package: "quark-core", filter: "m29" },
        seeds: 0,
    },
    Mutant {
        id: "m30",
        what: "a silo fires reminders by its own wall clock alone",
        site: "runtime/core/src/reminder",
        killer: Killer::Story { names: &["clock-forward", "clock-back"], checker: "I10" },
        seeds: 200,
    },
    Mutant {
        id: "m31",
        what: "a letter is marked as taken in memory, and not in the commit of its effect",
        site: "runtime/silo/src/outbox",
        killer: Killer::Story { names: &["outbox-crash-points"], checker: "I3" },
        seeds: 200,
    },
    Mutant {
        id: "m32",
        what: "a letter is deleted by its sender after an attempt whose outcome is unknown",
        site: "runtime/silo/src/outbox",
        killer: Killer::Story { names: &["outbox-crash-points"], checker: "I3" },
        seeds: 200,
    },
    Mutant {
        id: "m33",
        what: "letters of a new epoch are compared by their numbers alone",
        site: "runtime/silo/src/errands.rs",
        killer: Killer::Story { names: &["outbox-crash-points"], checker: "I3" },
        seeds: 200,
    },
    Mutant {
        id: "m41",
        what: "a claim does not check the state that it read",
        site: "runtime/silo/src",
        killer: Killer::Story { names: &["stale-replica-reads"], checker: "P3" },
        seeds: 200,
    },
    Mutant {
        id: "m42",
        what: "the store creates a record whether it exists or not",
        site: "sim/src",
        killer: Killer::Story { names: &["create-race"], checker: "I2" },
        seeds: 200,
    },
    Mutant {
        id: "m44",
        what: "a silo catches up as fast as it can",
        site: "runtime/core/src/reminder",
        killer: Killer::Story { names: &["catch-up-herd"], checker: "I10" },
        seeds: 200,
    },
    Mutant {
        id: "m45",
        what: "the slots of a state are committed one by one before it, and not in its batch",
        site: "runtime/silo/src",
        killer: Killer::Story { names: &["torn-slots"], checker: "P3" },
        seeds: 200,
    },
    Mutant {
        id: "m46",
        what: "a silo takes a table that has gone back for the truth",
        site: "runtime/core/src/membership",
        killer: Killer::Story { names: &["redis-failover-rewinds-members"], checker: "I7" },
        seeds: 200,
    },
    Mutant {
        id: "m47",
        what: "an actor keeps in memory what a failed commit did not store",
        site: "runtime/silo/src",
        killer: Killer::Story { names: &["redis-dark"], checker: "I2" },
        seeds: 200,
    },
    Mutant {
        id: "m48",
        what: "a silo that has fallen silent is never suspected",
        site: "runtime/core/src/membership/suspicion.rs",
        killer: Killer::Story { names: &["crash-no-leave"], checker: "P12" },
        seeds: 200,
    },
    Mutant {
        id: "m49",
        what: "a notice that is lost is never made up for: nothing but notices makes a silo read the table",
        site: "runtime/core/src/membership",
        killer: Killer::Story { names: &["lost-gossip"], checker: "I7" },
        seeds: 200,
    },
    Mutant {
        id: "m50",
        what: "a silo that drains writes the status that it had",
        site: "runtime/core/src/membership/life.rs",
        killer: Killer::Story { names: &["drain-in-order"], checker: "P15" },
        seeds: 200,
    },
    Mutant {
        id: "m51",
        what: "a silo that drains renews its lease no more",
        site: "runtime/core/src/membership/proof.rs",
        killer: Killer::Test { package: "quark-scenarios", filter: "m51" },
        seeds: 0,
    },
    Mutant {
        id: "m52",
        what: "a silo that drains keeps its part of the ring",
        site: "runtime/core/src/ring/shared.rs",
        killer: Killer::Story { names: &["drain-in-order"], checker: "P15" },
        seeds: 200,
    },
    Mutant {
        id: "m53",
        what: "one silo's word evicts another: nobody else is asked to look, or counted",
        site: "runtime/core/src/membership",
        killer: Killer::Story { names: &["bridge-node"], checker: "P12" },
        seeds: 200,
    },
    Mutant {
        id: "m54",
        what: "whoever reads that a lease was not renewed takes it for renewed",
        site: "runtime/core/src/membership/suspicion.rs",
        killer: Killer::Test { package: "quark-core", filter: "m54" },
        seeds: 0,
    },
    Mutant {
        id: "m55",
        what: "where an actor was last seen is believed, whoever has died since",
        site: "runtime/silo/src",
        killer: Killer::Story { names: &["crash-no-leave"], checker: "P17" },
        seeds: 200,
    },
    Mutant {
        id: "m56",
        what: "nobody learns from whoever sends a call on where its actor lives now",
        site: "runtime/silo/src/inbound.rs",
        killer: Killer::Story { names: &["stale-routes"], checker: "I5" },
        seeds: 200,
    },
    Mutant {
        id: "m57",
        what: "the chain of calls ends at the silo's border",
        site: "runtime/silo/src/outbound.rs",
        killer: Killer::Story { names: &["pressure-cycle"], checker: "P8" },
        seeds: 200,
    },
    Mutant {
        id: "m58",
        what: "a reply without a value is none",
        site: "runtime/silo/src/inbound.rs",
        killer: Killer::Test { package: "quark-scenarios", filter: "m58" },
        seeds: 0,
    },
    Mutant {
        id: "m59",
        what: "actors of two kinds and one key share what is stored",
        site: "runtime/silo/src/durable.rs",
        killer: Killer::Test { package: "quark-scenarios", filter: "m59" },
        seeds: 0,
    },
    Mutant {
        id: "m60",
        what: "a message that nobody takes is dropped without a word",
        site: "runtime/silo/src/outbound.rs",
        killer: Killer::Test { package: "quark-scenarios", filter: "m60" },
        seeds: 0,
    },
    Mutant {
        id: "m61",
        what: "the names of an actor and its reminder are joined without a border",
        site: "runtime/core/src/reminder/index.rs",
        killer: Killer::Test { package: "quark-core", filter: "m61" },
        seeds: 0,
    },
    Mutant {
        id: "m62",
        what: "a range changes hands without what stands in it",
        site: "runtime/core/src/directory/giver.rs",
        killer: Killer::Story { names: &["first-call-race"], checker: "I1" },
        seeds: 200,
    },
    Mutant {
        id: "m81",
        what: "an exclusive turn begins without acquiring what the last one wrote",
        site: "runtime/core/src/turn",
        killer: Killer::Loom { target: "loom_turn", filter: "m81" },
        seeds: 0,
    },
    Mutant {
        id: "m82",
        what: "a turn ends without releasing what it wrote",
        site: "runtime/core/src/turn",
        killer: Killer::Loom { target: "loom_turn", filter: "m82" },
        seeds: 0,
    },
    Mutant {
        id: "m83",
        what: "a sender that finds nobody running marks its message, and does not drain",
        site: "runtime/core/src/turn",
        killer: Killer::Loom { target: "loom_turn", filter: "m83" },
        seeds: 0,
    },
    Mutant {
        id: "m84",
        what: "a shared turn that ends beside others takes the mark of what waits with it",
        site: "runtime/core/src/turn",
        killer: Killer::Loom { target: "loom_turn", filter: "m84" },
        seeds: 0,
    },
    Mutant {
        id: "m85",
        what: "an activation that is gone still lets messages wait",
        site: "runtime/core/src/turn",
        killer: Killer::Loom { target: "loom_turn", filter: "m85" },
        seeds: 0,
    },
    Mutant {
        id: "m86",
        what: "whoever shares the turn forgets that more waits",
        site: "runtime/core/src/turn",
        killer: Killer::Loom { target: "loom_turn", filter: "m86" },
        seeds: 0,
    },
];

/// Bugs that stand in the code and not in the registry: nobody would ever switch them on.
pub fn unregistered(files: &[File]) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in files.iter().filter(|f| f.path.ends_with(".rs") && !f.path.starts_with("ci/")) {
        for (number, line) in file.text.as_deref().unwrap_or("").lines().enumerate() {
            for id in planted(line).filter(|id| REGISTRY.iter().all(|m| m.id != *id)) {
                found.push(Finding::new(
                    format!("{}:{}", file.path, number + 1),
                    format!("`mutant!(\"{id}\")` is not in the registry"),
                    "add its row to ci/src/mutants.rs: what it breaks and who has to notice",
                ));
            }
        }
    }
    found
}

/// Whether a bug stands where its row says.
fn is_planted(mutant: &Mutant, files: &[File]) -> bool {
    files
        .iter()
        .filter(|f| f.path.starts_with(mutant.site) && f.path.ends_with(".rs"))
        .flat_map(|f| f.text.as_deref().unwrap_or("").lines())
        .any(|line| !line.trim_start().starts_with("//") && planted(line).any(|id| id == mutant.id))
}

/// The ids of the bugs on a line.
fn planted(line: &str) -> impl Iterator<Item = &str> {
    line.split("mutant!(\"").skip(1).filter_map(|rest| rest.split('"').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_sorted() {
        assert!(REGISTRY.windows(2).all(|pair| pair[0].id < pair[1].id));
    }

    #[test]
    fn a_planted_bug_needs_a_row() {
        let files = [
            File::fake("sim/src/a.rs", "if mutant!(\"m22\") { }\nif quark_core::mutant!(\"m99\") { }\n"),
            File::fake("ci/src/b.rs", "mutant!(\"m98\")\n"),
        ];
        let found = unregistered(&files);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "sim/src/a.rs:2");
    }

    #[test]
    fn a_row_needs_its_planted_bug() {
        let m22 = REGISTRY.iter().find(|m| m.id == "m22").expect("in the registry");
        assert!(is_planted(m22, &[File::fake("sim/src/store.rs", "  if mutant!(\"m22\") {\n")]));
        assert!(!is_planted(m22, &[File::fake("sim/src/store.rs", "  // mutant!(\"m22\")\n")]));
        assert!(!is_planted(m22, &[File::fake("testkit/src/a.rs", "  if mutant!(\"m22\") {\n")]));
    }
}
