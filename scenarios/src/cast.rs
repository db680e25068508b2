//! Volatile actors that stories and benches share.

/// Answers with what it was sent.
#[derive(Default)]
pub struct Echo;

#[quark::actor(kind = "echo")]
impl Echo {
    /// The same bytes.
    pub fn echo(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }
}
