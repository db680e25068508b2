//! Which of several things to try next, if some of them pay more often than others and nobody knows which.

/// A bandit with several arms: UCB1 (Auer, Cesa-Bianchi, Fischer 2002). An arm that has paid well is pulled more often, one
/// that is hardly known is tried, and no arm is given up for ever. Deterministic: of equals the first.
///
/// ```
/// use quark_chaos::Bandit;
///
/// let mut bandit = Bandit::new(3);
/// for _ in 0..300 {
///     let arm = bandit.choose();
///     bandit.pays(arm, if arm == 1 { 0.9 } else { 0.1 });
/// }
/// assert!(bandit.pulls(1) > 200 && bandit.pulls(0) > 5);
/// ```
#[derive(Clone, Debug)]
pub struct Bandit {
    arms: Vec<Arm>,
    pulls: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Arm {
    pulls: u64,
    paid: f64,
}

impl Bandit {
    /// A bandit of which nothing is known.
    ///
    /// Panics: without arms.
    pub fn new(arms: usize) -> Self {
        assert!(arms > 0, "a bandit has arms");
        Self { arms: vec![Arm::default(); arms], pulls: 0 }
    }

    /// The arm to pull next: first each one once, then the most promising.
    pub fn choose(&self) -> usize {
        if let Some(untried) = self.arms.iter().position(|arm| arm.pulls == 0) {
            return untried;
        }
        let promise = |arm: &Arm| {
            let pulls = arm.pulls as f64;
            arm.paid / pulls + (2.0 * (self.pulls as f64).ln() / pulls).sqrt()
        };
        let mut best = 0;
        for at in 1..self.arms.len() {
            if promise(&self.arms[at]) > promise(&self.arms[best]) {
                best = at;
            }
        }
        best
    }

    /// An arm was pulled and paid so much, between 0 and 1; what is beyond counts as 1.
    pub fn pays(&mut self, arm: usize, reward: f64) {
        self.pulls += 1;
        self.arms[arm].pulls += 1;
        self.arms[arm].paid += reward.clamp(0.0, 1.0);
    }

    /// How often an arm was pulled.
    pub fn pulls(&self, arm: usize) -> u64 {
        self.arms[arm].pulls
    }

    /// What an arm has paid so far.
    pub fn paid(&self, arm: usize) -> f64 {
        self.arms[arm].paid
    }
}
