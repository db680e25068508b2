//! The network between processes: everybody is reached through doors, proxies that carry no byte between those who are
//! cut from one another.
//!
//! A silo advertises one door to all other silos; who dials it is found in the system's socket tables. All clients are
//! in this process, so each has doors of its own.

use parking_lot::Mutex;
use quark_core::hash;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// From whom, to whom.
type Way = (String, String);

/// Who may talk to whom. Cheap to clone.
#[derive(Clone, Default)]
pub struct Network(Arc<Inner>);

struct Inner {
    /// Whose process this is.
    processes: Mutex<BTreeMap<i32, String>>,
    /// Where a silo listens.
    targets: Mutex<BTreeMap<String, String>>,
    cut: watch::Sender<BTreeSet<Way>>,
    /// How many reads have met a cut.
    held: watch::Sender<u64>,
    /// Who loses which share of what they send, in millionths.
    lossy: Mutex<BTreeMap<String, u32>>,
    /// How many reads there were of those who lose some.
    drawn: AtomicU64,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            processes: Mutex::default(),
            targets: Mutex::default(),
            cut: watch::Sender::new(BTreeSet::new()),
            held: watch::Sender::new(0),
            lossy: Mutex::default(),
            drawn: AtomicU64::new(0),
        }
    }
}

impl Network {
    /// This process is this silo.
    pub fn belongs(&self, pid: i32, name: &str) {
        self.0.processes.lock().insert(pid, name.into());
    }

    /// Where the silo listens now.
    pub fn aim(&self, name: &str, target: &str) {
        self.0.targets.lock().insert(name.into(), target.into());
    }

    /// Opens a door to a silo; returns its address. Through it comes `dialler`, or whoever's process it is.
    pub async fn door(&self, silo: &str, dialler: Option<&str>) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (network, silo, dialler) = (self.clone(), silo.to_owned(), dialler.map(str::to_owned));
        tokio::spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                let Some(dialler) = dialler.clone().or_else(|| network.dialler(peer, address)) else {
                    continue;
                };
                let (network, silo) = (network.clone(), silo.clone());
                tokio::spawn(async move { network.carry(stream, dialler, silo).await });
            }
        });
        Ok(address)
    }

    /// Cuts those in different groups from one another.
    pub fn partition(&self, groups: &[&[&str]]) {
        for (at, group) in groups.iter().enumerate() {
            for other in groups.iter().enumerate().filter(|(o, _)| *o != at).flat_map(|(_, g)| g.iter()) {
                group.iter().for_each(|name| self.cut_way(name, other));
            }
        }
    }

    /// Cuts one direction.
    pub fn cut_way(&self, from: &str, to: &str) {
        self.0.cut.send_modify(|cut| _ = cut.insert((from.into(), to.into())));
    }

    /// Mends one direction.
    pub fn mend_way(&self, from: &str, to: &str) {
        self.0.cut.send_modify(|cut| _ = cut.remove(&(from.into(), to.into())));
    }

    /// Drops a connection instead of carrying what this one sends over it, in so many of a million cases.
    pub fn lose(&self, from: &str, ppm: u32) {
        self.0.lossy.lock().insert(from.into(), ppm);
    }

    /// Whether the next one is dropped: drawn by its number, so that two runs lose alike.
    fn is_lost(&self, from: &str) -> bool {
        let ppm = self.0.lossy.lock().get(from).copied().unwrap_or(0);
        ppm > 0 && hash::mix(self.0.drawn.fetch_add(1, Ordering::Relaxed)) % 1_000_000 < u64::from(ppm)
    }

    /// Mends all cuts.
    pub fn heal(&self) {
        self.0.cut.send_modify(BTreeSet::clear);
    }

    /// How often something was on its way between two who are cut from one another.
    pub fn held(&self) -> watch::Receiver<u64> {
        self.0.held.subscribe()
    }

    /// Whose process holds the other end of a connection to this door. `None` if it has closed it again.
    fn dialler(&self, peer: SocketAddr, door: SocketAddr) -> Option<String> {
        let wanted = format!("socket:[{}]", inode_of(peer.port(), door.port())?);
        let processes = self.0.processes.lock();
        let holds = |pid: &i32| {
            let Ok(files) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
            files.flatten().any(|f| std::fs::read_link(f.path()).is_ok_and(|l| l.as_os_str() == &*wanted))
        };
        processes.iter().find(|(pid, _)| holds(pid)).map(|(_, name)| name.clone())
    }

    /// Carries bytes both ways. A cut link is silent, not closed: that is what a cut cable is.
    async fn carry(&self, stream: TcpStream, dialler: String, silo: String) {
        let (out, back) = ((dialler.clone(), silo.clone()), (silo.clone(), dialler));
        if self.is_cut(&out) || self.is_cut(&back) {
            // Nobody shakes hands over a cut cable. What was said into it is lost, and the dialler tries again.
            self.mended(&out).await;
            self.mended(&back).await;
            return;
        }
        let target = self.0.targets.lock().get(&silo).cloned();
        let Some(target) = target else { return };
        let Ok(onward) = TcpStream::connect(target).await else { return };
        let _ = (stream.set_nodelay(true), onward.set_nodelay(true));
        let ((from_dialler, to_dialler), (from_silo, to_silo)) = (stream.into_split(), onward.into_split());
        let _ =
            tokio::try_join!(self.pump(from_dialler, to_silo, out), self.pump(from_silo, to_dialler, back));
    }

    /// Carries bytes one way until their end. What is under way when the cable is cut, ends and resets among it, arrives
    /// once it is mended, as TCP would have it.
    async fn pump(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: Way) -> io::Result<()> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = from.read(&mut buffer).await;
            self.mended(&way).await;
            if self.is_lost(&way.0) {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            match read? {
                0 => return to.shutdown().await,
                bytes => to.write_all(&buffer[..bytes]).await?,
            }
        }
    }

    fn is_cut(&self, way: &Way) -> bool {
        self.0.cut.borrow().contains(way)
    }

    async fn mended(&self, way: &Way) {
        if self.is_cut(way) {
            self.0.held.send_modify(|held| *held += 1);
            let mut cut = self.0.cut.subscribe();
            cut.wait_for(|cut| !cut.contains(way)).await.expect("the network is there");
        }
    }
}

/// The socket at this end of a connection, from the system's table of IPv4 connections.
fn inode_of(local_port: u16, remote_port: u16) -> Option<String> {
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let (local, remote) = (format!(":{local_port:04X}"), format!(":{remote_port:04X}"));
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_it = fields.get(1)?.ends_with(&local) && fields.get(2)?.ends_with(&remote);
        is_it.then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
    })
}

#[cfg(test)]
mod tests;
