//! The file that a new scenario starts from. It is a test of this crate as well, so it compiles and holds.

/// What stands for the scenario's name in the file, and in the names of Rust.
const NAME: [&str; 2] = ["your-story", "your_story"];

/// The source of a scenario of this name: actors, a workload, faults, a check, and the test.
///
/// Errors: a name that is not in kebab case, in a sentence.
///
/// ```
/// use quark_testkit::lab::template;
///
/// let source = template("ticket-office").expect("a good name");
/// assert!(source.contains("fn ticket_office_holds()"));
/// assert!(template("Ticket Office").is_err());
/// ```
pub fn template(name: &str) -> Result<String, String> {
    let is_word =
        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.split('-').all(is_word) {
        return Err(format!(
            "`{name}` is no name of a scenario: write words of small letters and digits with hyphens between \
             them, a letter first, as in ticket-office"
        ));
    }
    Ok(SOURCE.replace(NAME[0], name).replace(NAME[1], &name.replace('-', "_")))
}

const SOURCE: &str = include_str!("../../tests/new_scenario.rs");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_the_test_of_this_crate_under_another_name() {
        let written = template("ticket-office-2").expect("a good name");
        let back = written.replace("ticket-office-2", NAME[0]).replace("ticket_office_2", NAME[1]);
        assert_eq!(back, SOURCE);
        assert!(NAME.iter().all(|name| SOURCE.contains(name) && !written.contains(name)));
    }

    #[test]
    fn a_name_that_is_no_name_is_refused() {
        for name in ["", "-", "a-", "A", "a b", "a_b", "../x", "1a", "a--b", "a.rs"] {
            assert!(template(name).expect_err(name).contains(&format!("`{name}`")));
        }
    }
}
