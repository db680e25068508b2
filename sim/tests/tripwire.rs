//! What leaves the simulation is caught and named.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "these tests plant what is banned")]

mod common;

use quark_sim::{Config, World, tripwire};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Runs `plant` inside a task and returns the message with which the run failed.
fn caught(config: Config, plant: impl Fn() + Send + 'static) -> String {
    let result = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(config);
        let node = world.add_node("alpha");
        world.spawn(node, "planted", async move { plant() });
        world.run_for(Duration::from_secs(1));
    }));
    *result.expect_err("the run must fail").downcast::<String>().expect("a message")
}

#[test]
fn the_tripwire_is_linked() {
    assert!(tripwire::is_linked());
}

#[test]
fn a_read_of_the_real_clock_is_caught_with_its_place() {
    let message = caught(Config::new(1), || {
        std::hint::black_box(std::time::Instant::now());
    });
    assert!(message.contains("`clock_gettime`"), "{message}");
    assert!(message.contains("task `planted` of node `alpha`"), "{message}");
    assert!(message.contains("a_read_of_the_real_clock"), "the backtrace names the caller: {message}");
    let message = caught(Config::new(1), || {
        std::hint::black_box(std::time::SystemTime::now());
    });
    assert!(message.contains("`clock_gettime`"), "{message}");
    assert!(message.contains("a_read_of_the_real_clock"), "{message}");
}

#[test]
fn a_sleep_of_tokio_is_caught_with_its_place() {
    // Where there is no reactor, it panics by itself: the simulation has none, so a test has to bring one.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let _inside = runtime.enter();
    let message = caught(Config::new(6), || {
        drop(std::hint::black_box(tokio::time::sleep(Duration::from_millis(1))));
    });
    assert!(message.contains("`clock_gettime`"), "{message}");
    assert!(message.contains("tokio::time"), "the backtrace names the callee: {message}");
    assert!(message.contains("a_sleep_of_tokio_is_caught"), "the backtrace names the caller: {message}");
}

#[test]
fn system_entropy_is_caught() {
    let message = caught(Config::new(2), || {
        let mut bytes = [0u8; 8];
        // SAFETY: the buffer is as long as said.
        unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
        std::hint::black_box(bytes);
    });
    assert!(message.contains("`getrandom`"), "{message}");
    let message = caught(Config::new(2), || {
        let mut bytes = [0u8; 8];
        getrandom::fill(&mut bytes).expect("the system has entropy");
        std::hint::black_box(bytes);
    });
    assert!(message.contains("`getrandom`"), "{message}");
    assert!(message.contains("system_entropy_is_caught"), "the backtrace names the caller: {message}");
}

#[test]
fn a_randomly_seeded_map_is_caught() {
    // A thread of its own: std draws the keys of its maps once per thread.
    let message = std::thread::spawn(|| {
        caught(Config::new(3), || {
            let map: std::collections::HashMap<u32, u32> = [(1, 2)].into_iter().collect();
            std::hint::black_box(map);
        })
    })
    .join()
    .expect("the thread returns the message");
    assert!(message.contains("`getrandom`"), "{message}");
    assert!(message.contains("a_randomly_seeded_map_is_caught"), "the backtrace names the caller: {message}");
}

#[test]
fn a_thread_and_a_real_sleep_are_caught() {
    let message = caught(Config::new(4), || {
        std::thread::spawn(|| {}).join().expect("an empty thread ends");
    });
    assert!(message.contains("`pthread_create`"), "{message}");
    assert!(message.contains("a_thread_and_a_real_sleep"), "the backtrace names the caller: {message}");
    let message = caught(Config::new(4), || std::thread::sleep(Duration::from_nanos(1)));
    assert!(message.contains("nanosleep`"), "{message}");
}

#[test]
fn outside_of_a_step_everything_works() {
    let before = std::time::Instant::now();
    let mut world = World::new(Config::new(5));
    let node = world.add_node("alpha");
    let seen = Arc::new(AtomicBool::new(false));
    let flag = seen.clone();
    world.spawn(node, "reporter", async move {
        let elapsed = tripwire::outside(|| before.elapsed());
        flag.store(elapsed < Duration::from_secs(3600), Ordering::Relaxed);
    });
    world.run_for(Duration::from_secs(1));
    assert!(seen.load(Ordering::Relaxed), "the harness may step outside");
    assert!(before.elapsed() > Duration::ZERO);
    assert!(std::thread::spawn(|| 7).join().is_ok_and(|n| n == 7));
    let off = Config { tripwire: false, ..Config::new(5) };
    let mut world = World::new(off);
    let node = world.add_node("alpha");
    world.spawn(node, "clock", async {
        std::hint::black_box(std::time::Instant::now());
    });
    world.run_for(Duration::from_secs(1));
}
