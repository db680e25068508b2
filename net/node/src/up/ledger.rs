//! What the load knows of an account: what it must hold, and what it may hold beyond that.
//!
//! An acknowledged deposit is there for good. One whose outcome is unknown may take effect once, now or later. So at
//! any time `floor <= balance <= floor + doubt`; what a reading finds below is lost, what it finds above was applied
//! twice.

/// One account, as one writer knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ledger {
    /// What was acknowledged.
    floor: u64,
    /// The sum of the deposits whose outcome is unknown.
    doubt: u64,
    /// Whether `floor` has been read from the account yet.
    is_opened: bool,
}

/// What a reading says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// As it must be.
    Sound,
    /// So much is missing of what was acknowledged.
    Lost(u64),
    /// So much is there that nobody deposited.
    Surplus(u64),
}

impl Ledger {
    /// Whether the account has been read once; before that, nothing can be said of it.
    pub fn is_opened(&self) -> bool {
        self.is_opened
    }

    /// A deposit was acknowledged with this balance.
    pub fn acknowledged(&mut self, amount: u64, balance: u64) -> Verdict {
        self.floor = self.floor.saturating_add(amount);
        self.found(balance)
    }

    /// Nobody knows whether a deposit happened, or will.
    pub fn doubted(&mut self, amount: u64) {
        self.doubt = self.doubt.saturating_add(amount);
    }

    /// The account was read. What it holds is the new floor, also after a loss: it is reported once.
    pub fn found(&mut self, balance: u64) -> Verdict {
        if !self.is_opened {
            (self.floor, self.is_opened) = (balance, true);
            return Verdict::Sound;
        }
        let (floor, doubt) = (self.floor, self.doubt);
        self.floor = balance;
        if balance < floor {
            return Verdict::Lost(floor - balance);
        }
        let settled = balance - floor;
        self.doubt = doubt.saturating_sub(settled);
        if settled > doubt { Verdict::Surplus(settled - doubt) } else { Verdict::Sound }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(balance: u64) -> Ledger {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.found(balance), Verdict::Sound, "the first reading says nothing");
        ledger
    }

    #[test]
    fn acknowledged_deposits_add_up() {
        let mut ledger = opened(7);
        assert_eq!(ledger.acknowledged(5, 12), Verdict::Sound);
        assert_eq!(ledger.found(12), Verdict::Sound);
    }

    #[test]
    fn a_missing_deposit_is_lost_and_reported_once() {
        let mut ledger = opened(7);
        ledger.acknowledged(5, 12);
        assert_eq!(ledger.found(7), Verdict::Lost(5));
        assert_eq!(ledger.found(7), Verdict::Sound);
    }

    #[test]
    fn an_acknowledgement_that_lacks_earlier_ones_is_a_loss() {
        let mut ledger = opened(0);
        ledger.acknowledged(5, 5);
        assert_eq!(ledger.acknowledged(3, 3), Verdict::Lost(5));
    }

    #[test]
    fn a_doubted_deposit_may_happen_now_later_or_never_but_once() {
        let mut ledger = opened(0);
        ledger.doubted(5);
        assert_eq!(ledger.acknowledged(3, 3), Verdict::Sound, "not yet");
        assert_eq!(ledger.found(8), Verdict::Sound, "late");
        assert_eq!(ledger.found(13), Verdict::Surplus(5), "twice");
    }
}
