//! `quark sim goto`: a moment of a story.

use super::{explain, print, story};
use crate::cli::quiet_panics;
use quark_core::Instant;
use quark_testkit::machine;

/// Tells a story until a moment, and prints what it looks like then.
///
/// Errors: there is no such story, or it is over by then.
pub fn goto(name: &str, seed: u64, at: Instant, json: bool) -> Result<bool, String> {
    let story = story(name)?;
    quiet_panics();
    let scene = machine::visit(&story, seed, at).map_err(|error| explain(&error, name, seed))?;
    if json {
        println!("{}", print::scene_as_json(name, &scene));
    } else {
        print!("{}", print::scene(name, &scene, STEPS_SHOWN));
    }
    Ok(true)
}

/// How many lines of the story are printed.
const STEPS_SHOWN: usize = 20;
