//! Word of a new row to the owner of its shard, until the owner says that it will look in time.

use crate::control::ControlMessage;
use crate::kernel::Kernel;
use quark_core::reminder::{Input, Shard};
use quark_core::{SiloId, WallTime, reached};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// Between the silo of an actor and the owner of the shard of its reminders.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Notice {
    /// There is a new row in the index.
    Registered { shard: u8, due: WallTime, number: u64 },
    /// The owner of the shard looks in time.
    Acknowledged { number: u64 },
    /// What time is it?
    AskTime { number: u64 },
    /// It is so late.
    TellTime { number: u64, wall: WallTime },
}

/// How often the owner is told. After that it finds the row when it reads its shard again.
const TRIES: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

impl Kernel {
    /// Tells the owner of the shard. The row is in the index already.
    pub(crate) fn announce(self: &Arc<Self>, shard: Shard, due: WallTime) {
        let kernel = self.clone();
        self.env.spawner.spawn_boxed("announce", Box::pin(async move { kernel.insist(shard, due).await }));
    }

    async fn insist(self: Arc<Self>, shard: Shard, due: WallTime) {
        let number = self.reminders.announce();
        let mut pause = FIRST_PAUSE;
        for attempt in 0..TRIES {
            match self.owner_of(shard) {
                Some(owner) if owner == self.id => self.registered(owner, shard, due, number),
                Some(owner) => {
                    let notice = Notice::Registered { shard: shard.number(), due, number };
                    self.send_control(owner, &ControlMessage::Reminder(notice));
                }
                None => {}
            }
            self.env.clock.sleep_until(self.env.clock.now() + pause).await;
            if !self.reminders.is_unacknowledged(number) || self.is_stopped() {
                return;
            }
            if attempt == 0 {
                reached!("reminders.announced_again");
            }
            pause *= 2;
        }
        self.reminders.acknowledged(number);
    }

    /// A peer has news about reminders.
    pub(crate) fn reminder_notice(&self, from: SiloId, notice: Notice) {
        match notice {
            Notice::Registered { shard, due, number } => {
                if let Some(shard) = Shard::new(shard) {
                    self.registered(from, shard, due, number);
                }
            }
            Notice::Acknowledged { number } => self.reminders.acknowledged(number),
            Notice::AskTime { number } => {
                let wall = self.env.clock.wall();
                self.send_control(from, &ControlMessage::Reminder(Notice::TellTime { number, wall }));
            }
            Notice::TellTime { number, wall } => self.time_told(from, number, wall),
        }
    }

    fn registered(&self, by: SiloId, shard: Shard, due: WallTime, number: u64) {
        if self.registry.has_durable() {
            self.reminders.push_of_others(|| Input::Registered {
                shard,
                due,
                message: self.reminders.owe(by, number),
            });
        }
    }

    /// Who owns a shard, by the newest view.
    pub(crate) fn owner_of(&self, shard: Shard) -> Option<SiloId> {
        self.routing.load().ring.owner(shard.point())
    }
}
