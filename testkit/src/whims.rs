//! Which sites of `buggify!` have fired in this process, over all stories that were told in it.

use quark_sim::Whims;
use std::collections::BTreeMap;
use std::sync::Mutex;

static FIRED: Mutex<BTreeMap<&'static str, u64>> = Mutex::new(BTreeMap::new());

/// Counts what one world has seen of them.
pub(crate) fn add(whims: &BTreeMap<&'static str, Whims>) {
    if whims.is_empty() {
        return;
    }
    let mut fired = FIRED.lock().expect("no panic while held");
    for (site, seen) in whims.iter().filter(|(_, seen)| seen.fired > 0) {
        *fired.entry(*site).or_default() += seen.fired;
    }
}

/// How often each site has fired so far in this process; those that never did are not there.
pub fn fired() -> BTreeMap<&'static str, u64> {
    FIRED.lock().expect("no panic while held").clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fired_is_counted_and_what_was_only_passed_is_not() {
        let seen = |asked, fired| Whims { asked, fired };
        add(&BTreeMap::from([("whims.test", seen(9, 2)), ("whims.never", seen(9, 0))]));
        add(&BTreeMap::from([("whims.test", seen(5, 1))]));
        assert_eq!(fired().get("whims.test"), Some(&3));
        assert_eq!(fired().get("whims.never"), None);
    }
}
