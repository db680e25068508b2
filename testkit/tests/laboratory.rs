//! The laboratory as a test meets it: what it keeps, what it refuses, and what it says.

use quark_testkit::lab::{Config, Held, Lab, LabError, Scenario, Settings, Shard, Story, reached};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Fails at seed 7, for any one of its operations.
const SEVEN: Scenario = Scenario {
    name: "seven",
    premise: "fails at seed 7",
    sometimes: &["laboratory.even"],
    world: Config::new,
    describe: |silo| silo,
    tell: |story| Box::pin(tell(story)),
    ..Scenario::BLANK
};

async fn tell(s: Story) {
    if s.seed().is_multiple_of(2) {
        reached!("laboratory.even");
    }
    let done = (0..10).filter(|number| s.does("client", *number)).count();
    s.require("no-seven", s.seed() != 7 || done == 0, || format!("{done} operations with this seed"));
}

/// A folder of one test's own, beside the program; gone when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let program = std::env::current_exe().expect("a test is a program");
        let folder = program.parent().expect("it is in a folder").join(format!("laboratory-{name}"));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("there is room");
        Self(folder)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("there is room");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn of_case(scenario: &Scenario, file: &Path, folder: &Folder) -> Result<Held, LabError> {
    let settings = Settings { case: Some(file.to_owned()), ..Settings::default() };
    Lab::of(scenario).with(settings).folder(&folder.0).run()
}

#[test]
fn a_failure_is_kept_and_says_how_to_tell_it_again() {
    let folder = Folder::new("kept");
    let found = Lab::of(&SEVEN).seeds(0..20).folder(&folder.0).run();
    let Err(LabError::Found(finding)) = found else { panic!("seed 7 fails: {found:?}") };
    assert_eq!((finding.case.seed, finding.violation.checker.as_str()), (7, "no-seven"));
    assert_eq!(finding.small.as_ref().map(|small| small.left.operations), Some(1));
    let (file, text) = (folder.0.join("seven-7.json"), finding.to_string());
    let test = "a_failure_is_kept_and_says_how_to_tell_it_again";
    assert!(text.contains(&format!("QUARK_LAB_CASE={} cargo test {test}", file.display())), "{text}");
    assert!(text.contains(&format!("QUARK_LAB_SEEDS=7 cargo test {test}")), "{text}");
    assert!(text.contains("1 operations with this seed") && text.contains("client, "), "{text}");
    assert!(folder.0.join("seven-7.html").exists() && finding.unwritten.is_empty(), "{text}");

    let again = of_case(&SEVEN, &file, &folder);
    assert!(
        matches!(&again, Err(LabError::Found(again)) if again.violation == finding.violation),
        "{again:?}"
    );
    // A run that was mended is good, as the same file.
    let mended = Scenario { tell: |_| Box::pin(std::future::ready(())), ..SEVEN };
    assert_eq!(of_case(&mended, &file, &folder).expect("nothing is demanded").runs, 1);
}

#[test]
fn a_story_that_tells_nothing_does_not_hold() {
    let folder = Folder::new("blank");
    let blank = Scenario { name: "nothing-yet", ..Scenario::BLANK };
    let found = Lab::of(&blank).seeds(0..1).folder(&folder.0).run();
    let Err(LabError::Found(finding)) = found else { panic!("it held: {found:?}") };
    assert!(finding.violation.message.contains("give it a `tell`"), "{}", finding.violation.message);
}

#[test]
fn a_file_that_is_no_case_of_this_story_is_refused_by_name() {
    let folder = Folder::new("refused");
    let other = folder.file("other.json", r#"{"version": 1, "story": "eight", "seed": 3}"#);
    let newer = folder.file("newer.json", r#"{"version": 99, "story": "seven", "seed": 3}"#);
    let broken = folder.file("broken.json", "{");
    for (file, words) in [
        (other, ["other.json", "`eight`"]),
        (newer, ["newer.json", "version 99"]),
        (broken, ["broken.json", "no case"]),
        (folder.0.join("absent.json"), ["absent.json", "whole path"]),
    ] {
        let error = of_case(&SEVEN, &file, &folder).expect_err("it is no case").to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }
}

#[test]
fn a_story_that_never_comes_to_what_it_is_about_has_not_run() {
    let never = Scenario { sometimes: &["laboratory.never", "checked:no-such-checker"], ..SEVEN };
    let error = Lab::of(&never).seeds(100..150).run().expect_err("nothing reaches it").to_string();
    assert!(
        error.contains("50 good runs") && error.contains("laboratory.never, checked:no-such-checker"),
        "{error}"
    );
    // Too few seeds say nothing.
    assert_eq!(Lab::of(&never).seeds(100..149).run().expect("too few to judge").runs, 49);
    assert_eq!(Lab::of(&SEVEN).seeds(100..150).run().expect("half of them are even").runs, 50);
}

#[test]
fn the_shards_tell_all_seeds_between_them_and_one_finds_the_failure() {
    let folder = Folder::new("shards");
    let mut runs = 0;
    let mut failures = 0;
    for shard in ["1/3", "2/3", "3/3"] {
        let shard: Shard = shard.parse().expect("a shard");
        let lab = Lab::of(&SEVEN).seeds(8..28).folder(&folder.0);
        let share = lab.clone().with(Settings { shard: Some(shard), ..Settings::default() });
        runs += share.run().expect("7 is not among them").runs;
        failures += u32::from(share.seeds(0..20).run().is_err());
    }
    assert_eq!((runs, failures), (20, 1));
}

#[test]
fn a_story_that_is_not_the_same_twice_is_found_and_kept_whole() {
    static TELLINGS: AtomicU64 = AtomicU64::new(0);
    async fn differ(s: Story) {
        s.stage.sleep(std::time::Duration::from_millis(1 + TELLINGS.fetch_add(1, Ordering::Relaxed))).await;
    }
    let folder = Folder::new("twice");
    let unsteady = Scenario { name: "unsteady", tell: |story| Box::pin(differ(story)), ..SEVEN };
    let found = Lab::of(&unsteady).seeds(0..1).folder(&folder.0).run();
    let Err(LabError::Found(finding)) = found else { panic!("each telling takes longer: {found:?}") };
    assert_eq!((finding.violation.checker.as_str(), finding.small.is_none()), ("I12", true));
    assert!(finding.case_file.is_some() && finding.page_file.is_none(), "{finding}");
    assert!(finding.to_string().contains("not written: unsteady with seed 0 gave trace"), "{finding}");
}

#[test]
fn a_folder_that_cannot_be_written_hides_no_failure() {
    let folder = Folder::new("unwritable");
    let file = folder.file("file", "");
    let found = Lab::of(&SEVEN).seeds(7..8).folder(file.join("below")).run();
    let Err(LabError::Found(finding)) = found else { panic!("seed 7 fails: {found:?}") };
    assert!(finding.case_file.is_none() && finding.unwritten.len() == 2, "{finding}");
    assert!(finding.to_string().contains("not written: `"), "{finding}");
}

#[test]
fn the_search_for_the_smallest_run_ends_after_so_many_runs() {
    let folder = Folder::new("budget");
    let found = Lab::of(&SEVEN).seeds(7..8).runs_max(1).folder(&folder.0).run();
    let Err(LabError::Found(finding)) = found else { panic!("seed 7 fails: {found:?}") };
    assert!(finding.small.as_ref().is_some_and(|small| small.runs <= 1 && !small.is_minimal), "{finding}");
    assert!(finding.to_string().contains("the budget ended the search"), "{finding}");
}
