//! Rust source with its comments and literals blanked, so that a text check sees code and only code.
//!
//! A rule that greps the raw text cries over its own documentation; one that parses the file needs a parser.
//! This is the middle: a scanner that knows comments, strings, raw strings, characters and lifetimes, keeps every
//! line where it was, and replaces what is no code by spaces.

/// One file, twice: as written and as code alone. Both have the same lines.
pub struct Source<'a> {
    /// As written.
    pub raw: Vec<&'a str>,
    /// Comments and the inside of literals replaced by spaces.
    pub code: Vec<String>,
    /// For each line, whether it is inside `#[cfg(test)] mod … { }`.
    pub in_test_module: Vec<bool>,
}

impl<'a> Source<'a> {
    /// Scans a file.
    pub fn new(text: &'a str) -> Self {
        let blank = blank(text);
        let in_test_module = test_lines(&blank);
        Self { raw: text.lines().collect(), code: blank.lines().map(str::to_owned).collect(), in_test_module }
    }
}

/// Replaces comments and the inside of literals by spaces; newlines stay.
pub fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let skipped = comment(&chars, at).or_else(|| literal(&chars, at, &out));
        match skipped {
            Some(end) => {
                out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
                at = end;
            }
            None => {
                out.push(chars[at]);
                at += 1;
            }
        }
    }
    out
}

/// The end of the comment that starts here.
fn comment(chars: &[char], start: usize) -> Option<usize> {
    let two = |at: usize| (chars.get(at).copied(), chars.get(at + 1).copied());
    match two(start) {
        (Some('/'), Some('/')) => {
            let length = chars[start..].iter().position(|c| *c == '\n');
            Some(length.map_or(chars.len(), |l| start + l))
        }
        (Some('/'), Some('*')) => {
            let (mut depth, mut at) = (1, start + 2);
            while at < chars.len() && depth > 0 {
                match two(at) {
                    (Some('/'), Some('*')) => (depth, at) = (depth + 1, at + 2),
                    (Some('*'), Some('/')) => (depth, at) = (depth - 1, at + 2),
                    _ => at += 1,
                }
            }
            Some(at)
        }
        _ => None,
    }
}

/// The end of the string or character that starts here. `before` tells a raw string's `r` from a name's last letter.
fn literal(chars: &[char], start: usize, before: &str) -> Option<usize> {
    let after_name = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
    match chars[start] {
        '"' => Some(quoted(chars, start, '"')),
        'r' | 'b' | 'c' if !after_name => prefixed(chars, start),
        // A lifetime has no closing quote: 'a, but 'a' and '\n'.
        '\'' => {
            let escaped = chars.get(start + 1) == Some(&'\\');
            let closed = chars.get(start + 2) == Some(&'\'');
            (escaped || closed).then(|| quoted(chars, start, '\''))
        }
        _ => None,
    }
}

/// `b"…"`, `r"…"`, `br#"…"#`, `b'…'` and so on.
fn prefixed(chars: &[char], start: usize) -> Option<usize> {
    let mut at = start;
    let mut raw = false;
    while let Some(c) = chars.get(at).filter(|c| matches!(c, 'r' | 'b' | 'c')) {
        raw |= *c == 'r';
        at += 1;
    }
    let hashes = chars[at..].iter().take_while(|c| **c == '#').count();
    match chars.get(at + hashes) {
        Some('"') if raw => {
            let mut end = at + hashes + 1;
            while end < chars.len() {
                let closes = chars[end] == '"'
                    && chars[end + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
                if closes {
                    return Some(end + 1 + hashes);
                }
                end += 1;
            }
            Some(end)
        }
        Some('"') if hashes == 0 => Some(quoted(chars, at, '"')),
        Some('\'') if hashes == 0 && !raw => Some(quoted(chars, at, '\'')),
        _ => None,
    }
}

fn quoted(chars: &[char], start: usize, quote: char) -> usize {
    let mut at = start + 1;
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// Marks the lines of every `#[cfg(test)]` block.
fn test_lines(code: &str) -> Vec<bool> {
    let mut marks = vec![false; code.lines().count()];
    let mut from = 0;
    while let Some(found) = code[from..].find("#[cfg(test)]") {
        let start = from + found;
        let Some(open) = code[start..].find(['{', ';']).map(|o| start + o) else { break };
        let end = if code.as_bytes()[open] == b'{' { block_end(code, open) } else { open };
        let line = |at: usize| code[..at].matches('\n').count();
        let (first, last) = (line(start), line(end));
        marks[first..=last.min(code.lines().count() - 1)].fill(true);
        from = end;
    }
    marks
}

/// The byte of the brace that closes the one at `open`, or the end.
fn block_end(code: &str, open: usize) -> usize {
    let mut depth = 0;
    for (at, c) in code[open..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return open + at;
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        assert_eq!(blank(text).split_whitespace().collect::<Vec<_>>().join(" "), expect, "{text}");
        assert_eq!(blank(text).lines().count(), text.lines().count(), "{text}");
    }

    #[test]
    fn comments_and_literals_are_no_code() {
        check("a // b\nc", "a c");
        check("a /* b /* c */ d */ e", "a e");
        check(r#"f("todo!() \" still", g)"#, "f( , g)");
        check("f(r#\"a \" b\"#, g)", "f( , g)");
        check("f(br\"\\\", g)", "f( , g)");
        check("f(b'\"', '\"', '\\'', g)", "f( , , , g)");
        check("fn f<'a>(x: &'a str, y: &'static str) {}", "fn f<'a>(x: &'a str, y: &'static str) {}");
        check("for r in b { var\"x\" }", "for r in b { var }");
        check("\"one\ntwo // three\"; four", "; four");
    }

    #[test]
    fn a_test_module_ends_with_its_brace() {
        let source = Source::new("fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() { \"}\"; }\n}\nfn c() {}\n");
        assert_eq!(source.in_test_module, [false, true, true, true, true, false]);
        let source = Source::new("#[cfg(test)]\nmod tests;\nfn c() {}");
        assert_eq!(source.in_test_module, [true, true, false]);
    }
}
