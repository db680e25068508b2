//! The timeline of a run, in a real browser: it shows what was recorded, asks no network for anything, and answers clicks.

mod browser;
mod planted;

use browser::{Browser, in_browser};

use quark_testkit::case::{Case, Kept};
use quark_testkit::lab::{Fault, FaultPlan};
use quark_testkit::telling::{Minimised, Telling, page};
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Everything that the page says about itself, after everything that is due has been drawn.
fn state(browser: &mut Browser) -> Value {
    browser.settled("return Object.assign({}, document.body.dataset)")
}

fn number(state: &Value, name: &str) -> usize {
    state[name]
        .as_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("no `{name}` in {state}"))
}

/// Looks at the page of a run.
fn in_page(telling: &Telling, look: impl Fn(&mut Browser)) {
    let page = page::render(telling);
    in_browser(|browser| {
        browser.open_page(&page);
        assert_eq!(state(browser)["ready"], "yes");
        look(browser);
        assert_eq!(browser.complaints(), Vec::<String>::new());
    });
}

#[test]
fn a_run_is_drawn_without_a_complaint_and_without_a_network() {
    let telling = planted::telling();
    in_page(&telling, |browser| {
        let silos = telling.lanes.iter().filter(|lane| lane.is_silo).count();
        assert_eq!(silos, 3);
        assert_eq!(browser.run("return document.querySelectorAll('.lane.silo').length"), json!(silos));
        assert_eq!(
            browser.run("return document.querySelectorAll('.lane').length"),
            json!(telling.lanes.len())
        );

        let picture = browser.screenshot("timeline-light");
        assert!(picture > 40_000, "a screenshot of {picture} bytes shows next to nothing");
        let light = drawn_colours(browser);
        browser.click("#theme");
        let dark = drawn_colours(browser);
        browser.screenshot("timeline-dark");
        assert!(light.len() > 8 && dark.len() > 8, "{light:?} {dark:?}");
        assert_ne!(light, dark);

        let asked: Vec<String> =
            browser.requests().into_iter().filter(|url| !url.starts_with("data:")).collect();
        assert!(asked.iter().all(|url| url.starts_with("file://")), "{asked:?}");
        assert_eq!(asked.len(), 1, "the page itself, and nothing else: {asked:?}");
    });
}

/// The colours of the lanes' canvas, a pixel in every so many; read off a copy, because reading slows a canvas down, of
/// which the browser complains.
fn drawn_colours(browser: &mut Browser) -> BTreeSet<String> {
    let found = browser.settled(
        "const lanes = document.getElementById('lanes'), c = document.createElement('canvas');
         c.width = lanes.width;
         c.height = lanes.height;
         const pen = c.getContext('2d', { willReadFrequently: true });
         pen.drawImage(lanes, 0, 0);
         const d = pen.getImageData(0, 0, c.width, c.height).data;
         const found = new Set();
         for (let at = 0; at < d.length; at += 4 * 7) if (d[at + 3] > 250) found.add(`${d[at]} ${d[at + 1]} ${d[at + 2]}`);
         return [...found].slice(0, 200)",
    );
    found.as_array().expect("a list").iter().map(ToString::to_string).collect()
}

#[test]
fn a_filter_by_actor_shows_less_and_a_filter_by_call_less_still() {
    let telling = planted::telling();
    in_page(&telling, |browser| {
        let all = number(&state(browser), "events");
        browser.write("#actor", "account/account-1");
        let of_actor = state(browser);
        assert!(number(&of_actor, "events") > 0 && number(&of_actor, "events") < all, "{of_actor} of {all}");
        let call = telling
            .events
            .iter()
            .filter(|entry| {
                entry.actor.is_some_and(|actor| telling.actors[actor as usize] == "account/account-1")
            })
            .find_map(|entry| entry.call.clone())
            .expect("somebody called it");
        browser.write("#call", &call);
        let of_call = state(browser);
        assert!(number(&of_call, "events") > 0, "{call}: {of_call}");
        assert!(number(&of_call, "events") < number(&of_actor, "events"), "{of_call}");
        browser.click("#reset");
        assert_eq!(number(&state(browser), "events"), all);

        browser.click("[data-group='turns']");
        let without_turns = number(&state(browser), "events");
        let turns = telling.events.iter().filter(|entry| entry.kind.name().starts_with("turn")).count();
        assert_eq!(without_turns, all - turns);
    });
}

#[test]
fn a_violation_shows_what_it_is_about_and_only_what_led_there() {
    let telling = planted::telling();
    in_page(&telling, |browser| {
        let all = number(&state(browser), "events");
        browser.click(".violation");
        let said = browser.settled("return document.getElementById('detail').textContent");
        let said = said.as_str().expect("text");
        let marked = *telling.marks[0].events.last().expect("it is about something");
        assert!(said.contains(planted::SAID), "{said}");
        assert!(said.contains(&format!("event {marked},")), "{said}");
        assert!(said.contains(&telling.events[marked as usize].text), "{said}");
        browser.screenshot("timeline-violation");

        browser.click("#slice");
        let sliced = state(browser);
        assert_eq!(sliced["slice"], "on");
        let slice = telling.slice(&telling.marks[0].events);
        assert_eq!(
            number(&sliced, "events"),
            slice.len(),
            "the page and the program mean the same by what led there"
        );
        assert!(slice.len() < all / 2, "{} of {all}", slice.len());
        browser.screenshot("timeline-slice");
        browser.click("#slice");
        assert_eq!(number(&state(browser), "events"), all);

        browser.press_key("Escape");
        let before = browser.settled("return document.getElementById('detail').textContent");
        browser.click("#lanes");
        let after = browser.settled("return document.getElementById('detail').textContent");
        assert_ne!(before, after, "whatever is there has something to say");
    });
}

#[test]
fn what_is_left_of_a_run_stands_in_its_page_with_the_command_that_tells_it_again() {
    let mut telling = planted::telling();
    let mut case = Case::of("planted", 7);
    let cut = Fault::Isolate { node: "c".into() };
    case.plan = Some(FaultPlan::new().with(Duration::from_secs(2), Duration::from_millis(1500), cut));
    let kept = |note: &str| Kept { entity: 1, counter: 1, note: note.into() };
    case.faults = Some(vec![kept("4.5s: Crash <b>a</b>")]);
    case.operations = Some(vec![kept("client-0, 5")]);
    telling.plan = Minimised::of(&case, "quark sim replay --case small.json".into());
    in_page(&telling, |browser| {
        let mut shown =
            |id: &str| browser.run(&format!("return document.getElementById('{id}').textContent"));
        assert_eq!(shown("replay-case"), "quark sim replay --case small.json");
        let plan = shown("plan");
        let lines: Vec<&str> = plan.as_str().expect("text").lines().collect();
        assert_eq!(lines.len(), 3, "{plan}");
        assert!(lines[0].contains("isolate") && lines[0].contains("\"node\":\"c\""), "{plan}");
        assert_eq!(lines[1], "fault of the story: 4.5s: Crash <b>a</b>");
        assert_eq!(lines[2], "operation: client-0, 5");
        assert!(
            shown("verdict").as_str().expect("text").contains("still fails: 2 faults"),
            "two of its faults"
        );
        browser.screenshot("timeline-case");
    });
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let (one, two) = (planted::telling(), planted::telling());
    assert_eq!(one.to_bytes(), two.to_bytes());
    assert_eq!(page::render(&one), page::render(&two));
    let read = Telling::parse("memory", &one.to_bytes()).expect("what is written can be read");
    assert_eq!(read, one);
}

#[test]
fn a_browser_that_breaks_is_replaced_and_a_page_that_is_wrong_is_not_forgiven() {
    let looks = Cell::new(0);
    in_browser(|browser| {
        looks.set(looks.get() + 1);
        if looks.get() == 1 {
            browser.break_it();
        }
        assert_eq!(browser.run("return 7"), json!(7));
    });
    assert_eq!(looks.get(), 2);
    let thrown = catch_unwind(AssertUnwindSafe(|| {
        in_browser(|browser| {
            looks.set(looks.get() + 1);
            browser.run("throw new Error('wrong')");
        });
    }));
    assert!(thrown.is_err() && looks.get() == 3, "{} looks", looks.get());
}
