//! What crosses the wire is owned.

use std::path::Path;

#[derive(Default)]
struct Account;

#[quark::actor(kind = "account")]
impl Account {
    fn text(&self, _text: &str) {}
    fn slice(&self, _bytes: &[u8]) {}
    fn path(&self, _path: &Path) {}
    fn number(&self, _number: &mut u64) {}
    fn inside(&self, _text: Option<&'static str>) {}
    fn tuple(&self, _tuple: &(u8, u8)) {}
    fn result(&self) -> &str {
        ""
    }
    fn inside_result(&self) -> Result<u64, &'static str> {
        Ok(0)
    }
    fn lifetime(&self) -> std::borrow::Cow<'_, str> {
        "".into()
    }
}

fn main() {}
