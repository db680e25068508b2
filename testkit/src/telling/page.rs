//! x
use super::Telling;
/// x
pub fn render(_: &Telling) -> String {
    String::new()
}
