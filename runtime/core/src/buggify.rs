//! Sites at which the runtime may do what is rare and legal: have a tiny mailbox, drop a hint, be a little late.
//!
//! A swarm of faults changes the world around a silo; a site changes the silo's own luck, so that paths which only
//! overload or an unlucky moment would take are taken often. What a site does has to be legal at any time: it is no bug,
//! and a promise that breaks under it is broken without it, too. (Deliberate bugs are [`mutant!`](crate::mutant).)
//!
//! `buggify!(entropy, "site")` is `false` at compile time without the feature `buggify`, and without a simulator that says
//! otherwise: only its entropy has whims. There a run switches some sites on, and each of them fires now and then, decided
//! by the seed as everything is.
//!
//! Source: FoundationDB, `flow/include/flow/Buggify.h`.

/// Whether this build has any sites.
pub const ENABLED: bool = cfg!(feature = "buggify");

/// What is known of a site.
#[derive(Clone, Copy, Debug)]
pub struct Site {
    /// Its name in code.
    pub name: &'static str,
    /// What happens when it fires.
    pub says: &'static str,
}

/// Every site.
pub const SITES: &[Site] = &[
    Site { name: "tiny_mailbox", says: "an activation's mailbox takes two messages" },
    Site { name: "ends_early", says: "an activation ends after its turn, as if it had been idle for long" },
    Site { name: "saves_early", says: "a kind with write-behind saves at once" },
    Site { name: "hint_forgotten", says: "a route hint is not used" },
    Site { name: "view_hint_dropped", says: "the news of a newer view is not heard" },
    Site { name: "link_hint_dropped", says: "the news of a broken link is not heard" },
    Site { name: "sweeps_for_nothing", says: "the sweep of deadlines wakes before anything is due" },
    Site {
        name: "directory_wakes_for_nothing",
        says: "the directory is told that its time has come before it has",
    },
    Site {
        name: "membership_wakes_for_nothing",
        says: "the membership is told that its time has come before it has",
    },
    Site {
        name: "membership_writes_late",
        says: "a change of the table, a lease's renewal too, leaves late",
    },
    Site { name: "asks_again_at_once", says: "an ask that is tried again does not wait first" },
    Site {
        name: "commits_twice",
        says: "a commit whose answer came is in doubt all the same, and is sent again",
    },
    Site { name: "commit_waits_longer", says: "a commit in doubt is chased after a longer pause" },
    Site { name: "letter_again_at_once", says: "a letter that was not taken is brought again at once" },
    Site { name: "letter_waits", says: "a letter stays a while before it is brought" },
    Site { name: "letters_swept_later", says: "the rows of taken letters are deleted another time" },
    Site { name: "ticks_one_by_one", says: "the executor gets a look in after each tick" },
    Site { name: "turns_one_by_one", says: "the executor gets a look in after each queued message" },
    Site { name: "turn_not_in_place", says: "a turn runs in a task of its own, not on its caller's stack" },
    Site { name: "receives_one_by_one", says: "one frame is received at a time" },
];

/// Whether there is such a site. For [`buggify!`](crate::buggify), at compile time.
pub const fn is_known(name: &str) -> bool {
    let mut at = 0;
    while at < SITES.len() {
        if is_same(SITES[at].name.as_bytes(), name.as_bytes()) {
            return true;
        }
        at += 1;
    }
    false
}

const fn is_same(one: &[u8], two: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < two.len() && one[at] == two[at] {
        at += 1;
    }
    at == one.len() && at == two.len()
}

/// Whether this site fires now. `false`, at compile time, without the feature `buggify`. A site that is not in
/// [`SITES`](crate::buggify::SITES) does not compile.
///
/// ```
/// struct Calm;
/// impl Calm {
///     fn whim(&self, _site: &'static str) -> bool {
///         false
///     }
/// }
/// assert!(!quark_core::buggify!(Calm, "tiny_mailbox"));
/// ```
#[macro_export]
macro_rules! buggify {
    ($entropy:expr, $site:literal) => {
        $crate::buggify::ENABLED && {
            const { assert!($crate::buggify::is_known($site), "add the site to quark_core::buggify::SITES") };
            $entropy.whim($site)
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_have_names_of_their_own() {
        for (at, site) in SITES.iter().enumerate() {
            assert!(is_known(site.name) && !site.says.is_empty());
            assert!(SITES[..at].iter().all(|other| other.name != site.name), "{}", site.name);
        }
        assert!(!is_known("tiny_mailboxes") && !is_known("tiny") && !is_known(""));
    }
}
