//! A vault that is stored in three rows, and whose parts have to agree.

use quark::{Deserialize, Serialize, Slot};

/// Coins that are moved to and fro between two chests, each a slot.
#[quark::state]
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Vault {
    moves: u64,
    left: Slot<Chest>,
    right: Slot<Chest>,
}

/// One of its two chests.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Chest {
    coins: i64,
    /// What makes it worth a row of its own.
    moves: Vec<i64>,
}

/// What each chest begins with.
const COINS: i64 = 1000;

impl Default for Chest {
    fn default() -> Self {
        Self { coins: COINS, moves: Vec::new() }
    }
}

impl Chest {
    fn take(&mut self, coins: i64) {
        self.coins += coins;
        self.moves.push(coins);
    }
}

#[quark::actor(kind = "vault", durable, placement = random)]
impl Vault {
    /// Moves coins from the left chest to the right one; answers how often that was done.
    pub fn shift(&mut self, coins: i64) -> u64 {
        self.moves += 1;
        self.left.take(-coins);
        self.right.take(coins);
        self.moves
    }

    /// Moves a coin to the right and back, so that the slots alone have changed.
    pub fn rattle(&mut self) {
        self.left.moves.push(0);
        self.right.moves.push(0);
    }

    /// How often coins were moved, and what does not agree.
    pub fn inspect(&self) -> (u64, Vec<String>) {
        (self.moves, self.faults())
    }
}

impl Vault {
    /// What does not agree among the parts.
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let (left, right) = (&*self.left, &*self.right);
        let sum = left.coins + right.coins;
        if sum != 2 * COINS {
            faults.push(format!("there are {sum} coins, and there were {}", 2 * COINS));
        }
        if left.moves.len() != right.moves.len() {
            let (left, right) = (left.moves.len(), right.moves.len());
            faults.push(format!("the left chest was opened {left} times, the right one {right} times"));
        }
        let moved = left.moves.iter().filter(|coins| **coins != 0).count() as u64;
        if moved != self.moves {
            faults.push(format!("coins were moved {} times, and the chests know of {moved}", self.moves));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_different_commits_are_a_fault() {
        let mut vault = Vault::default();
        let before = vault.clone();
        vault.shift(5);
        vault.rattle();
        assert!(vault.inspect() == (1, Vec::new()));
        let faults = |moves, left: &Vault, right: &Vault| {
            let torn = Vault { moves, left: left.left.clone(), right: right.right.clone() };
            torn.faults().len()
        };
        assert_eq!(faults(0, &vault, &vault), 1, "the state is from before");
        assert_eq!(faults(1, &before, &before), 1, "both slots are");
        assert_eq!(faults(1, &before, &vault), 3, "one is");
        assert_eq!(faults(1, &vault, &before), 2, "the other is");
    }
}
