//! What time it is for whom: by how much wall clocks are ahead of the machine's.
//!
//! Each silo reads its clock's error from a file at every look, so that a clock can be set while its silo runs, hangs or is
//! down ([`super::silo`]).

use parking_lot::Mutex;
use quark_core::WallTime;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// The clocks of a stage.
pub struct Walls {
    folder: PathBuf,
    ahead: Mutex<Ahead>,
}

/// In nanoseconds.
#[derive(Default)]
struct Ahead {
    /// All of them: hours that nobody has waited for.
    all: i64,
    /// One silo's beyond that: its clock is wrong.
    own: BTreeMap<String, i64>,
}

impl Walls {
    /// Clocks whose files are in this folder.
    pub fn in_folder(folder: PathBuf) -> Self {
        Self { folder, ahead: Mutex::default() }
    }

    /// Where a silo's process looks.
    pub fn of(&self, silo: &str) -> PathBuf {
        self.folder.join(format!("clock-{silo}"))
    }

    /// Writes it down for a silo that is about to start.
    pub fn set_up(&self, silo: &str) {
        self.step(silo, 0);
    }

    /// Sets a silo's clock ahead, or back.
    pub fn step(&self, silo: &str, by_ns: i64) {
        let mut ahead = self.ahead.lock();
        *ahead.own.entry(silo.into()).or_default() += by_ns;
        self.write(silo, &ahead);
    }

    /// Sets everybody's clock ahead.
    pub fn let_pass(&self, time: Duration) {
        let mut ahead = self.ahead.lock();
        ahead.all += i64::try_from(time.as_nanos()).expect("less than a century");
        ahead.own.keys().for_each(|silo| self.write(silo, &ahead));
    }

    /// The true time, if this is the machine's.
    pub fn true_time(&self, machine: WallTime) -> WallTime {
        WallTime(machine.0 + self.ahead.lock().all)
    }

    /// In one piece, since it is read at any moment.
    fn write(&self, silo: &str, ahead: &Ahead) {
        let ahead_ns = ahead.all + ahead.own.get(silo).copied().unwrap_or(0);
        let (path, draft) = (self.of(silo), self.of(&format!("{silo}.new")));
        std::fs::write(&draft, ahead_ns.to_string()).expect("the folder can be written");
        std::fs::rename(draft, path).expect("it was just written");
    }
}
