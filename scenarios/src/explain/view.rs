//! `quark sim view`: one telling as a page that needs nothing else.

use super::Source;
use super::curve::measure;
use super::record::{read_plan, write};
use quark_testkit::telling::page;
use std::path::PathBuf;

/// What is to be drawn.
#[derive(Clone, Debug)]
pub struct ViewPlan {
    /// The telling.
    pub source: Source,
    /// Where the page goes; else beside the file, or into a file named after story and seed.
    pub out: Option<PathBuf>,
    /// A fault plan that was made smaller, to be shown with it.
    pub plan: Option<PathBuf>,
    /// Whether to measure how likely the failure was, and draw that too.
    pub with_curve: bool,
    /// How many futures at a time.
    pub jobs: usize,
}

/// Draws a telling. `true` if the run was good.
///
/// Errors: there is no such file or story, or a file cannot be read or written.
pub fn view(plan: &ViewPlan) -> Result<bool, String> {
    let told = plan.source.tell()?;
    let mut telling = told.telling;
    let case = told.case.as_ref();
    if let Some(path) = &plan.plan {
        telling.plan = Some(read_plan(path, &telling)?);
    }
    if plan.with_curve {
        let scenario =
            told.scenario.ok_or_else(|| format!("this program does not know the story {}", telling.story))?;
        telling.curve = Some(measure(&scenario, case, &telling.report, Default::default(), plan.jobs)?);
    }
    let out = plan.out.clone().unwrap_or_else(|| match &plan.source {
        Source::File(path) | Source::Case(path) => path.with_extension("html"),
        Source::Seed { story, seed } => PathBuf::from(format!("{story}-{seed}.html")),
    });
    let html = page::render(&telling);
    write(&out, html.as_bytes())?;
    println!(
        "{}: {} events, {} frames, {} violations in {:.1} MB; open it in a browser",
        out.display(),
        telling.events.len(),
        telling.frames.len(),
        telling.report.violations.len(),
        html.len() as f64 / 1e6,
    );
    Ok(telling.report.violations.is_empty())
}
