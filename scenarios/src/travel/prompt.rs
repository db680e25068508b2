//! `quark sim travel`: a conversation about one run.

use super::{branch, explain, parse_moment, print, show_moment, story};
use crate::cli::{parse_seeds, quiet_panics};
use quark_core::Instant;
use quark_testkit::machine::{Spacing, TimeMachine};
use quark_testkit::scene::Scene;
use std::io::{self, BufRead, IsTerminal, Write};

const HELP: &str = "\
goto 31.4s      go to this moment of simulated time
back 2s         go back
on 500ms        go forward
look            what it looks like here
story 30        the last 30 lines of the story until here
branch 7        how it ends if chance is drawn from seed 7 from here on
branch 0..20    the same for twenty seeds
end             how the run itself ends
help            this
quit            leave (so does the end of the input)
";
/// How many lines of the story are shown with a moment.
const STEPS_SHOWN: usize = 5;

/// Tells a story once, then goes wherever the lines of the standard input say.
///
/// Errors: there is no such story, the system makes no copies of this process, or, if nobody sits at a terminal, a line
/// that could not be obeyed.
pub fn travel(name: &str, seed: u64) -> Result<bool, String> {
    let is_interactive = io::stdin().is_terminal();
    let prompt = if is_interactive { "> " } else { "" };
    let refused = converse(name, seed, &mut io::stdin().lock(), &mut io::stdout(), prompt)?;
    match refused {
        0 => Ok(true),
        _ if is_interactive => Ok(true),
        lines => Err(format!("{lines} of the lines could not be obeyed: see `error:` above")),
    }
}

/// As [`travel`], with somebody else's lines. How many of them could not be obeyed.
///
/// Errors: there is no such story, or the system makes no copies of this process.
pub fn converse(
    name: &str,
    seed: u64,
    input: &mut dyn BufRead,
    output: &mut dyn Write,
    prompt: &str,
) -> Result<usize, String> {
    let told = story(name)?;
    quiet_panics();
    let machine =
        TimeMachine::record(&told, seed, Spacing::default()).map_err(|error| explain(&error, name, seed))?;
    let mut journey = Journey { name, seed, machine, here: Instant::ZERO, scene: None };
    let gone = |error: io::Error| format!("nobody listens any more: {error}");
    write!(output, "{}", journey.welcome()).map_err(gone)?;
    let mut refused = 0;
    let mut line = String::new();
    loop {
        write!(output, "{prompt}").and_then(|()| output.flush()).map_err(gone)?;
        line.clear();
        let read = input.read_line(&mut line).map_err(|error| format!("the input failed: {error}"))?;
        let words: Vec<&str> = line.split_whitespace().collect();
        if read == 0 || matches!(words[..], ["quit" | "exit"]) {
            return Ok(refused);
        }
        let said = journey.obey(&words).unwrap_or_else(|error| {
            refused += 1;
            format!("error: {error}\n")
        });
        write!(output, "{said}").map_err(gone)?;
    }
}

struct Journey<'a> {
    name: &'a str,
    seed: u64,
    machine: TimeMachine,
    here: Instant,
    /// What it looks like here, once anybody has asked.
    scene: Option<Box<Scene>>,
}

impl Journey<'_> {
    fn welcome(&self) -> String {
        let kept = self.machine.checkpoints().len();
        format!(
            "{}, seed {}\n{}It ends at {}; {kept} moments of it are kept. `help` says more.\n",
            self.name,
            self.seed,
            print::folded(&print::verdict(self.machine.report()), 4),
            show_moment(self.machine.end()),
        )
    }

    fn obey(&mut self, words: &[&str]) -> Result<String, String> {
        match words {
            [] => Ok(String::new()),
            ["help"] => Ok(HELP.to_owned()),
            ["goto", at] => self.go(parse_moment(at)?),
            ["back", by] => {
                let by = parse_moment(by)?.0;
                let at = self.here.0.checked_sub(by);
                self.go(Instant(at.ok_or_else(|| {
                    let here = show_moment(self.here);
                    format!("`back {}` from {here} is before the start", words[1])
                })?))
            }
            ["on", by] => self.go(Instant(self.here.0.saturating_add(parse_moment(by)?.0))),
            ["look"] => self.look(),
            ["story", lines] => {
                let lines = lines.parse().map_err(|_| format!("`{lines}` is no number of lines"))?;
                Ok(print::story_lines(self.scene()?, lines))
            }
            ["branch", seeds] => self.branch(seeds),
            ["end"] => Ok(self.end()),
            _ => Err(format!("`{}` is nothing that can be done: `help` lists what is", words.join(" "))),
        }
    }

    fn go(&mut self, at: Instant) -> Result<String, String> {
        let scene = self.machine.goto(at).map_err(|error| explain(&error, self.name, self.seed))?;
        self.here = at;
        self.scene = Some(Box::new(scene));
        self.look()
    }

    fn scene(&mut self) -> Result<&Scene, String> {
        if self.scene.is_none() {
            let scene =
                self.machine.goto(self.here).map_err(|error| explain(&error, self.name, self.seed))?;
            self.scene = Some(Box::new(scene));
        }
        Ok(self.scene.as_ref().expect("it was just looked at"))
    }

    fn look(&mut self) -> Result<String, String> {
        let name = self.name;
        Ok(print::scene(name, self.scene()?, STEPS_SHOWN))
    }

    fn branch(&mut self, seeds: &str) -> Result<String, String> {
        let seeds = parse_seeds(seeds)?;
        let shows_story = seeds.end - seeds.start == 1;
        let mut text = String::new();
        for seed in seeds {
            let report = self
                .machine
                .branch(self.here, seed)
                .map_err(|error| explain(&error, self.name, self.seed))?;
            if shows_story {
                text += &print::telling(&report, Some(self.here));
            } else {
                text += &print::folded(&format!("{seed}: {}", print::verdict(&report)), 4);
                report.violations.first().into_iter().for_each(|found| text += &print::violation(found));
            }
            if !report.violations.is_empty() {
                text += &format!("replay: {}\n", branch::replay(self.name, self.seed, self.here, seed));
            }
        }
        Ok(text)
    }

    fn end(&self) -> String {
        let report = self.machine.report();
        let mut text = String::new();
        report.violations.iter().for_each(|found| text += &print::violation(found));
        text + &print::verdict(report) + "\n"
    }
}
