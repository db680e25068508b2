//! How much one side of a link may have under way: credits in messages and in bytes.
//!
//! Pure bookkeeping. Whoever sends takes credit first, keeps the [`Taken`] with the call, and gives it back when the
//! call is over, however it ended; so a lost frame costs its credit only until its deadline. A `Taken` can be neither
//! copied nor given back twice, because giving back consumes it.

#[cfg(test)]
mod tests;

use std::fmt;

/// An amount of credit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Amount {
    /// Messages.
    pub messages: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Amount {
    /// So many of each.
    pub const fn new(messages: u64, bytes: u64) -> Self {
        Self { messages, bytes }
    }

    fn plus(self, other: Amount) -> Amount {
        Amount {
            messages: self.messages.saturating_add(other.messages),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} messages and {} bytes", self.messages, self.bytes)
    }
}

/// The credits of one link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credit {
    granted: Amount,
    available: Amount,
    under_way: Amount,
}

/// Credit that one message holds. It goes back by [`Credit::give_back`]; dropped, it is lost to the link.
#[derive(PartialEq, Eq, Debug)]
#[must_use = "credit that is dropped is lost to the link"]
pub struct Taken {
    bytes: u64,
}

/// The link has too much under way. Nothing happened; try again when something has come back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a message of {bytes} bytes finds {available} of credit left, {granted} were granted")]
pub struct Exhausted {
    /// The size of the message.
    pub bytes: u64,
    /// What is left.
    pub available: Amount,
    /// What was granted in all.
    pub granted: Amount,
}

impl Credit {
    /// A link with so much credit.
    pub const fn new(granted: Amount) -> Self {
        Self { granted, available: granted, under_way: Amount::new(0, 0) }
    }

    /// Adds to what the link may have under way.
    pub fn grant(&mut self, more: Amount) {
        let before = self.granted;
        self.granted = before.plus(more);
        // As much as the sum really grew: a grant that hits the end of the numbers makes up no credit.
        self.available.messages += self.granted.messages - before.messages;
        self.available.bytes += self.granted.bytes - before.bytes;
        self.check();
    }

    /// Takes the credit of one message.
    ///
    /// A message larger than everything granted gets through when nothing else is under way: refused for its size
    /// alone it never would, however long its sender waited.
    /// Errors: [`Exhausted`]; nothing was taken.
    pub fn consume(&mut self, bytes: u64) -> Result<Taken, Exhausted> {
        let is_first = self.under_way.messages == 0 && self.granted.messages > 0;
        let charged = if is_first { bytes.min(self.available.bytes) } else { bytes };
        if self.available.messages == 0 || charged > self.available.bytes {
            crate::reached!("credit.exhausted");
            return Err(Exhausted { bytes, available: self.available, granted: self.granted });
        }
        self.available.messages -= 1;
        self.available.bytes -= charged;
        self.under_way = self.under_way.plus(Amount::new(1, charged));
        self.check();
        Ok(Taken { bytes: charged })
    }

    /// Takes back the credit of a message that is over.
    ///
    /// Panics: if it was taken from another link and this one has less under way.
    pub fn give_back(&mut self, taken: Taken) {
        let back = Amount::new(1, taken.bytes);
        assert!(
            self.under_way.messages >= back.messages && self.under_way.bytes >= back.bytes,
            "credit comes back that this link did not give"
        );
        self.under_way.messages -= back.messages;
        self.under_way.bytes -= back.bytes;
        self.available = self.available.plus(back);
        if crate::mutant!("m13") {
            self.available = self.available.plus(back);
        }
        self.check();
    }

    /// What may still be taken.
    pub const fn available(&self) -> Amount {
        self.available
    }

    /// What is out. Zero at quiescence, or credit has leaked.
    pub const fn under_way(&self) -> Amount {
        self.under_way
    }

    /// Panics: if credit was lost or made up.
    pub fn check(&self) {
        assert_eq!(self.available.plus(self.under_way), self.granted, "credit is available or under way");
    }
}
