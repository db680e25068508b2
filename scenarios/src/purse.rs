//! A purse that gives coins to others by letter, and knows whether each letter was taken once and in its order.

use quark::{ActorContext, Deserialize, Serialize};
use std::collections::BTreeMap;

/// Coins, and what was written to and taken from others.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Purse {
    coins: u64,
    /// Receiver → how many letters were written to it.
    written: BTreeMap<String, u64>,
    /// Sender → the number of its last letter that was taken.
    taken: BTreeMap<String, u64>,
    /// Letters that came twice, or after a later one, or with one left out.
    faults: Vec<String>,
}

/// What every purse begins with.
pub const COINS: u64 = 1000;

impl Default for Purse {
    fn default() -> Self {
        Self { coins: COINS, written: BTreeMap::new(), taken: BTreeMap::new(), faults: Vec::new() }
    }
}

#[quark::actor(kind = "purse", durable, placement = random)]
impl Purse {
    /// Gives coins away by letter; answers what is left. `Err` if there are not so many, or no letter can be written.
    pub fn give(&mut self, ctx: &ActorContext, coins: u64, to: String) -> Result<u64, String> {
        let left = self.coins.checked_sub(coins).ok_or("there are not so many")?;
        let number = self.written.get(&to).copied().unwrap_or(0) + 1;
        let letter = ctx.actor::<Purse>(&to).receive(ctx.id().key().to_owned(), number, coins);
        ctx.outbox().and_then(|outbox| outbox.send(letter)).map_err(|error| error.to_string())?;
        self.written.insert(to, number);
        self.coins = left;
        Ok(left)
    }

    /// Takes coins that another has given.
    pub fn receive(&mut self, from: String, number: u64, coins: u64) {
        let last = self.taken.insert(from.clone(), number).unwrap_or(0);
        if number != last + 1 {
            self.faults.push(format!("letter {number} of {from} after its letter {last}"));
        }
        self.coins += coins;
    }

    /// All of it.
    pub fn look(&self) -> Purse {
        self.clone()
    }
}

impl Purse {
    /// The coins in it.
    pub fn coins(&self) -> u64 {
        self.coins
    }

    /// What is wrong between purses: letters that were not taken once, in order, and coins that are gone or new.
    pub fn faults_among(purses: &BTreeMap<String, Purse>) -> Vec<String> {
        let mut faults: Vec<String> = purses
            .iter()
            .flat_map(|(name, purse)| purse.faults.iter().map(move |fault| format!("{name}: {fault}")))
            .collect();
        for (from, purse) in purses {
            for (to, written) in &purse.written {
                let taken = purses.get(to).and_then(|to| to.taken.get(from)).copied().unwrap_or(0);
                if taken != *written {
                    faults.push(format!("{from} wrote {written} letters to {to}, which took {taken}"));
                }
            }
        }
        let (sum, due) = (purses.values().map(Purse::coins).sum::<u64>(), COINS * purses.len() as u64);
        if sum != due {
            faults.push(format!("there are {sum} coins, and there were {due}"));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_that_is_lost_doubled_or_early_is_a_fault() {
        let mut giver = Purse { coins: COINS - 5, ..Purse::default() };
        giver.written.insert("b".into(), 1);
        let mut taker = Purse::default();
        let among = |giver: &Purse, taker: &Purse| {
            Purse::faults_among(&BTreeMap::from([("a".into(), giver.clone()), ("b".into(), taker.clone())]))
                .len()
        };
        assert_eq!(among(&giver, &taker), 2, "not taken, and five coins are gone");
        taker.receive("a".into(), 1, 5);
        assert_eq!(among(&giver, &taker), 0);
        taker.receive("a".into(), 1, 5);
        assert_eq!(among(&giver, &taker), 2, "twice, and five coins too many");
    }
}
