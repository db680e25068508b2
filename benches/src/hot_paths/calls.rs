//! Calls through typed references: within a silo, between two, and with a commit.

use super::stage::{ANSWERS, Driver, Ledger, Subject, keys_on, side_by_side, silo, with_silos};

/// An idle actor, a method that needs no future.
pub(super) fn ask_sync(times: u64) {
    with_silos(&["a"], async |cluster| {
        let driver = silo(cluster, "a").client().actor::<Driver>("one");
        assert_eq!(driver.ask_sync(times).await.expect(ANSWERS), times);
    });
}

/// An idle actor, a method with a future.
pub(super) fn ask_async(times: u64) {
    with_silos(&["a"], async |cluster| {
        let driver = silo(cluster, "a").client().actor::<Driver>("one");
        assert_eq!(driver.ask_async(times).await.expect(ANSWERS), times);
    });
}

/// An idle actor, and nobody waits for what it says.
pub(super) fn tell(times: u64) {
    with_silos(&["a"], async |cluster| {
        let driver = silo(cluster, "a").client().actor::<Driver>("one");
        assert_eq!(driver.tell(times).await.expect(ANSWERS), times);
    });
}

/// An actor that others have made busy: the mailbox, a task for the suspended turn, and the wake-ups.
pub(super) fn ask_busy(times: u64) {
    with_silos(&["a"], async |cluster| {
        let client = silo(cluster, "a").client();
        let callers = (0..BUSY_CALLERS).map(|_| {
            let subject = client.actor::<Subject>("one");
            async move {
                for _ in 0..times / BUSY_CALLERS {
                    subject.add_later(1).await.expect(ANSWERS);
                }
            }
        });
        side_by_side(cluster, callers).await;
        let sum = client.actor::<Subject>("one").sum().await.expect(ANSWERS);
        assert_eq!(sum, times / BUSY_CALLERS * BUSY_CALLERS);
    });
}

const BUSY_CALLERS: u64 = 16;

/// Each call finds nobody: directory, activation, turn.
pub(super) fn activation(times: u64) {
    with_silos(&["a"], async |cluster| {
        let client = silo(cluster, "a").client();
        for number in 0..times {
            let subject = client.actor::<Subject>(&format!("subject-{number}"));
            assert_eq!(subject.add(1).await.expect(ANSWERS), 1);
        }
    });
}

/// Actors of another silo: envelopes, the simulated network, correlation, batches of 64 callers.
pub(super) fn remote_ask(times: u64) {
    with_silos(&["a", "b"], async |cluster| {
        let (here, there) = (silo(cluster, "a"), silo(cluster, "b"));
        let callers = keys_on(&there, REMOTE_CALLERS).into_iter().map(|key| {
            let subject = here.client().actor::<Subject>(&key);
            async move {
                for _ in 0..times / REMOTE_CALLERS as u64 {
                    let echo = subject.echo(vec![7; PAYLOAD_BYTES]).await.expect(ANSWERS);
                    assert_eq!(echo.len(), PAYLOAD_BYTES);
                }
            }
        });
        side_by_side(cluster, callers).await;
        assert_eq!(there.status().activations, REMOTE_CALLERS, "the actors live there");
    });
}

const REMOTE_CALLERS: usize = 64;
const PAYLOAD_BYTES: usize = 100;

/// The turn, its batch, and the simulated store.
pub(super) fn commit(times: u64) {
    with_silos(&["a"], async |cluster| {
        let ledger = silo(cluster, "a").client().actor::<Ledger>("one");
        for number in 1..=times {
            assert_eq!(ledger.add(1).await.expect(ANSWERS), number);
        }
    });
}
