//! Where actors are stored, as a user says it. There may be a password in it, so it is shown nowhere.

use anyhow::{Result, bail};
use serde::Deserialize;
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// What was given, not yet understood.
///
/// Any text will do at this point: the errors of whoever reads flags and files repeat what they were given, and ours
/// do not.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct StoreText(String);

/// Where actors are stored.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreChoice {
    /// In a file in the data folder, shared by the processes of this machine.
    Sqlite,
    /// In the Redis with this URL, which is checked when it is opened.
    Redis(String),
}

impl StoreText {
    /// What it means.
    ///
    /// Errors: it is neither a URL nor `sqlite`; the text shows what was given, without a password.
    pub fn choice(&self) -> Result<StoreChoice> {
        match self.0.as_str() {
            "sqlite" => Ok(StoreChoice::Sqlite),
            url if url.contains("://") => Ok(StoreChoice::Redis(url.into())),
            other => bail!(
                "`{}` is no store: give --store (QUARK_STORE, or `store` in the configuration file) `sqlite`, or the \
                 URL of a Redis, such as redis://localhost:6379/0?prefix=shop",
                without_passwords(other)
            ),
        }
    }
}

impl StoreChoice {
    /// As [`StoreText`] understands it: for a child process's eyes only.
    pub fn text(&self) -> &str {
        match self {
            StoreChoice::Sqlite => "sqlite",
            StoreChoice::Redis(url) => url,
        }
    }
}

impl FromStr for StoreText {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.into()))
    }
}

impl fmt::Debug for StoreText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_passwords(&self.0))
    }
}

impl fmt::Debug for StoreChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_passwords(self.text()))
    }
}

/// The same text without what may be the user and the password of a URL, however badly it is written: all between where
/// they could begin and the last `@` of the line; and without what stands for the password of the sentinels.
pub fn without_passwords(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(hide).collect();
    lines.join("\n")
}

fn hide(line: &str) -> String {
    hide_sentinel_password(&hide_user(line))
}

/// All behind the name of the parameter up to what ends it, or the URL.
fn hide_sentinel_password(line: &str) -> String {
    let mut parts = line.split(SENTINEL_PASSWORD);
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(['&', ' ', '"', '\'', '`']).unwrap_or(part.len());
        shown = format!("{shown}{SENTINEL_PASSWORD}..{}", &part[end..]);
    }
    shown
}

fn hide_user(line: &str) -> String {
    // Of a password of the sentinels with an `@` in it, the end would be shown.
    let line = &line
        .find(SENTINEL_PASSWORD)
        .map_or_else(|| line.to_owned(), |at| format!("{}{}", &line[..at], line[at..].replace('@', "%40")));
    let Some(end) = line.rfind('@') else { return line.into() };
    let after_scheme = line.find("://").map(|at| at + 3);
    let begin = after_scheme.or_else(|| line.find([':', '"', '\'', '=']).map(|at| at + 1));
    let begin = begin.filter(|begin| *begin <= end).unwrap_or(0);
    format!("{}..{}", &line[..begin], &line[end..])
}

const SENTINEL_PASSWORD: &str = "sentinel_password=";

/// The variable that says it in the environment.
pub const STORE_VARIABLE: &str = "QUARK_STORE";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_a_word_or_a_url() {
        let choice = |text: &str| StoreText(text.into()).choice();
        assert_eq!(choice("sqlite").expect("a store"), StoreChoice::Sqlite);
        for url in ["redis://h:1/2?prefix=a", "redis-cluster://a,b", "redis+unix:///run/r.sock"] {
            let chosen = choice(url).expect("a store");
            assert_eq!(chosen, StoreChoice::Redis(url.into()));
            assert_eq!(choice(chosen.text()).expect("a store"), chosen, "a child understands it");
        }
        for text in ["", "oracle", "Sqlite", "localhost:6379", "redis:/localhost"] {
            let error = choice(text).expect_err(text).to_string();
            assert!(error.contains(&format!("`{text}`")) && error.contains("redis://"), "{error}");
        }
    }

    #[test]
    fn what_may_be_a_password_is_not_shown() {
        for (text, shown) in [
            ("redis://u:hunter2@h/1", "redis://..@h/1"),
            ("redis://:hunt@er2@h", "redis://..@h"),
            ("redis:/u:hunter2@h", "redis:..@h"),
            ("u:hunter2@h", "u:..@h"),
            ("hunter2@h:1", "..@h:1"),
            ("fine\n1 | store = \"redis://hunter2@h\n  | ^", "fine\n1 | store = \"redis://..@h\n  | ^"),
            ("redis://h", "redis://h"),
            ("redis+sentinel://h/m?sentinel_password=hunter2", "redis+sentinel://h/m?sentinel_password=.."),
            (
                "redis://u:hunter2@h/m?sentinel_password=hun@ter2&ca=x",
                "redis://..@h/m?sentinel_password=..&ca=x",
            ),
        ] {
            assert_eq!(without_passwords(text), shown);
            assert_eq!(format!("{:?}", StoreText(text.into())), shown);
            assert_eq!(format!("{:?}", StoreChoice::Redis(text.into())), shown);
        }
    }
}
