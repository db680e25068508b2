//! Delta debugging: takes away whatever is not needed.

/// Drops ever smaller pieces of a list, as long as what is left still passes the test, until no single item can go
/// (Zeller, Hildebrandt 2002; complements only). `test` returns `None` when the budget is used up; the smallest so far stays.
///
/// Returns whether no single item of what is left can go: not if the budget ended it.
///
/// ```
/// use quark_chaos::drop_pieces;
///
/// let mut items: Vec<u32> = (0..100).collect();
/// let is_minimal = drop_pieces(&mut items, &mut |left| Some(left.contains(&7) && left.contains(&71)));
/// assert!(is_minimal && items == [7, 71]);
/// ```
pub fn drop_pieces<T: Clone>(items: &mut Vec<T>, test: &mut dyn FnMut(&[T]) -> Option<bool>) -> bool {
    if items.is_empty() {
        return true;
    }
    // Often nothing of a kind is needed at all.
    match test(&[]) {
        Some(true) => {
            items.clear();
            return true;
        }
        Some(false) => {}
        None => return false,
    }
    let mut size = items.len().div_ceil(2).max(1);
    loop {
        let (mut at, mut has_dropped) = (0, false);
        while at < items.len() && items.len() > 1 {
            let mut fewer = items.clone();
            fewer.drain(at..(at + size).min(items.len()));
            match test(&fewer) {
                Some(true) => {
                    *items = fewer;
                    has_dropped = true;
                }
                Some(false) => at += size,
                None => return false,
            }
        }
        match (size, has_dropped) {
            // One may be droppable only now that another is gone: the last round has to drop nothing.
            (1, false) => return true,
            (1, true) => {}
            _ => size = size.div_ceil(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn exactly_what_is_needed_is_left(
            length in 1usize..60, needed in prop::collection::btree_set(0usize..60, 0..5),
        ) {
            let needed: Vec<usize> = needed.into_iter().filter(|item| *item < length).collect();
            let mut items: Vec<usize> = (0..length).collect();
            let is_minimal =
                drop_pieces(&mut items, &mut |left| Some(needed.iter().all(|item| left.contains(item))));
            prop_assert!(is_minimal);
            prop_assert_eq!(items, needed);
        }
    }

    #[test]
    fn what_is_needed_only_until_something_else_is_gone_goes_too() {
        // 3 must stay as long as 5 is there.
        let mut items: Vec<u32> = (0..10).collect();
        let mut fails = |left: &[u32]| Some(left.contains(&8) && (left.contains(&3) || !left.contains(&5)));
        assert!(drop_pieces(&mut items, &mut fails));
        assert_eq!(items, [8]);
    }

    #[test]
    fn the_budget_ends_it_with_the_smallest_so_far() {
        let (mut items, mut runs) = ((0..40).collect::<Vec<u32>>(), 0);
        let is_minimal = drop_pieces(&mut items, &mut |left| {
            runs += 1;
            (runs <= 6).then(|| left.contains(&3))
        });
        assert!(!is_minimal && items.contains(&3) && items.len() < 40);
    }
}
