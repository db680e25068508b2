//! What was counted beside what is committed.

use crate::report::Finding;

/// How far a path may be from its committed figure, in percent.
pub(super) const PERCENT: f64 = 2.0;

/// One path: what it takes now, and what it took. In instructions an operation.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// Its name.
    pub path: String,
    /// `None` if the program does not have it.
    pub counted: Option<f64>,
    /// `None` if the file does not.
    pub committed: Option<f64>,
}

impl Row {
    /// In percent of the committed figure; `None` if there is nothing to compare.
    fn change(&self) -> Option<f64> {
        let (counted, committed) = (self.counted?, self.committed?);
        Some((counted / committed - 1.0) * 100.0)
    }
}

/// The rows for a person, in 80 columns.
pub(super) fn table(rows: &[Row]) -> String {
    let figure = |figure: Option<f64>| figure.map_or_else(|| "–".to_owned(), |figure| format!("{figure:.1}"));
    let mut text = format!("  {:<20} {:>18} {:>18} {:>10}\n", "path", "instructions", "committed", "change");
    for row in rows {
        let change = row.change().map_or_else(String::new, |change| format!("{change:+.2} %"));
        let (counted, committed) = (figure(row.counted), figure(row.committed));
        text += &format!("  {:<20} {counted:>18} {committed:>18} {change:>10}\n", row.path);
    }
    text
}

/// What moved too far, and what only one side knows. `file` is where the figures are.
pub(super) fn findings(file: &str, rows: &[Row]) -> Vec<Finding> {
    rows.iter().filter_map(|row| finding(file, row)).collect()
}

fn finding(file: &str, row: &Row) -> Option<Finding> {
    let Row { path, counted, committed } = row;
    let (message, remedy) = match (counted, committed) {
        (Some(counted), Some(committed)) => {
            let change = row.change()?;
            // A millionth of a percent for the rounding of the division.
            if change.abs() <= PERCENT + 1e-6 {
                return None;
            }
            let message = format!(
                "`{path}` takes {counted:.1} instructions an operation and took {committed:.1}: {change:+.2} %, and \
                 {PERCENT} % are allowed"
            );
            let remedy = match change > 0.0 {
                true => {
                    format!(
                        "mend what made it slower; if it is worth it, {}, and say why in the commit",
                        anew(path)
                    )
                }
                false => {
                    format!("if it still does all that it did, {}: the gate should keep the gain", anew(path))
                }
            };
            (message, remedy)
        }
        (Some(counted), None) => (
            format!("`{path}` takes {counted:.1} instructions an operation, and no figure is committed"),
            anew(path),
        ),
        (None, _) => (
            format!("`{path}` has a figure, and `hot_paths` has no such path"),
            "take its line out, or give the path its name back".into(),
        ),
    };
    Some(Finding::new(file, message, remedy))
}

fn anew(path: &str) -> String {
    format!("write its figure anew with `cargo ci perf {path} --write`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(counted: Option<f64>, committed: Option<f64>) -> Vec<Finding> {
        findings("benches/hot_paths.toml", &[Row { path: "ask".into(), counted, committed }])
    }

    #[test]
    fn two_percent_are_allowed_either_way() {
        for counted in [98.0, 98.001, 100.0, 101.999, 102.0] {
            assert_eq!(found(Some(counted), Some(100.0)), [], "{counted}");
        }
        for counted in [0.0, 97.99, 102.01, 1e9] {
            assert_eq!(found(Some(counted), Some(100.0)).len(), 1, "{counted}");
        }
        // Where the division rounds up.
        assert_eq!(found(Some(5.1 * 1.02), Some(5.1)), []);
    }

    #[test]
    fn a_finding_names_path_figures_and_remedy() {
        let slower = &found(Some(110.0), Some(100.0))[0];
        assert_eq!(slower.place, "benches/hot_paths.toml");
        assert!(
            slower
                .message
                .starts_with("`ask` takes 110.0 instructions an operation and took 100.0: +10.00 %")
        );
        assert!(slower.remedy.starts_with("mend") && slower.remedy.contains("cargo ci perf ask --write"));
        let faster = &found(Some(90.0), Some(100.0))[0];
        assert!(faster.message.contains("-10.00 %") && faster.remedy.contains("cargo ci perf ask --write"));
    }

    #[test]
    fn a_path_that_only_one_side_knows_is_found() {
        let new = &found(Some(7.0), None)[0];
        assert!(new.message.contains("no figure is committed") && new.remedy.contains("--write"));
        let gone = &found(None, Some(7.0))[0];
        assert!(gone.message.contains("has no such path"), "{}", gone.message);
    }

    #[test]
    fn the_table_fits_eighty_columns() {
        let row = |counted, committed| Row { path: "envelope-decode".into(), counted, committed };
        let huge = Some(123_456_789_012.3);
        let text = table(&[row(huge, Some(1.0e11)), row(None, huge), row(huge, None)]);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.contains("+23.46 %") && text.contains('–'), "{text}");
    }
}
