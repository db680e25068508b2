//! The paths whose instructions are counted: what a local call, a remote call and a commit consist of, and what the
//! simulator spends its time on.
//!
//! Silos run in a calm simulated world: there every count is the same each time, and the silo cannot tell the
//! difference. So the paths with silos include what the simulator does in place of tokio, gRPC and a store. The cores are
//! called as they are.

mod calls;
mod cores;
mod histories;
mod stage;

/// One path, and how to walk it.
pub struct HotPath {
    /// Its name: lower case, dashes.
    pub name: &'static str,
    /// What one operation is.
    pub what: &'static str,
    /// How many operations a count is taken over: enough for what repeats only now and then (a vector that grows, a probe
    /// of a peer) to count for its share.
    pub times: u64,
    /// Sets up, and does the operation so many times.
    pub walk: fn(u64),
}

impl HotPath {
    /// The path of this name.
    pub fn named(name: &str) -> Option<&'static HotPath> {
        ALL.iter().find(|path| path.name == name)
    }
}

/// All of them. The turn's claim and release, and the locator, are in every call; a view's ring is built too seldom.
pub const ALL: &[HotPath] = &[
    HotPath {
        name: "ask-sync",
        what: "a turn asks an idle actor of its silo, method `fn`",
        times: 10_000,
        walk: calls::ask_sync,
    },
    HotPath { name: "ask-async", what: "the same, method `async fn`", times: 10_000, walk: calls::ask_async },
    HotPath {
        name: "ask-busy",
        what: "one of 16 callers of an actor whose turns yield once",
        times: 8_000,
        walk: calls::ask_busy,
    },
    HotPath {
        name: "tell",
        what: "a turn tells an idle actor of its silo",
        times: 10_000,
        walk: calls::tell,
    },
    HotPath {
        name: "activation",
        what: "a volatile actor's activation and first call",
        times: 2_048,
        walk: calls::activation,
    },
    HotPath {
        name: "remote-ask",
        what: "a call between two silos, 100 bytes, 64 callers",
        times: 6_400,
        walk: calls::remote_ask,
    },
    HotPath {
        name: "commit",
        what: "a call that commits its actor's state",
        times: 1_000,
        walk: calls::commit,
    },
    HotPath {
        name: "ring-lookup",
        what: "an actor's owner on a ring of 1000 silos",
        times: 100_000,
        walk: cores::ring_lookup,
    },
    HotPath {
        name: "envelope-encode",
        what: "a request with chain, order and 100 bytes to its frame",
        times: 10_000,
        walk: cores::envelope_encode,
    },
    HotPath {
        name: "envelope-decode",
        what: "the same frame read and dropped",
        times: 10_000,
        walk: cores::envelope_decode,
    },
    HotPath {
        name: "timer",
        what: "a timer set and fired, 4500 standing on the wheel",
        times: 50_000,
        walk: cores::timer,
    },
    HotPath {
        name: "checkers",
        what: "all checkers on the history of a run of short-swarm",
        times: 2,
        walk: histories::check,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_has_a_name_of_its_own_and_can_be_walked() {
        for (at, path) in ALL.iter().enumerate() {
            assert!(ALL[..at].iter().all(|other| other.name != path.name), "two paths `{}`", path.name);
            assert!(path.times > 0 && !path.what.contains('\t'), "{}", path.name);
            // The telling of a whole run is too long for a test that is not optimised, and has tests of its own.
            if path.name != "checkers" {
                (HotPath::named(path.name).expect("just listed").walk)(64);
            }
        }
    }
}
