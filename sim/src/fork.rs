//! Copies of the whole process: how a simulation that cannot be cloned is kept as it stands, and gone on with later.
//!
//! A world is made of futures, and futures cannot be cloned; a process can. A forked child is the simulation at that
//! moment, and costs the pages that either side writes to afterwards. It answers through a socket. It never outlives its
//! parent: the kernel kills it when the parent is gone, whatever has killed that.
//!
//! A child has one thread, the one that forked. So has the parent, or [`fork`] refuses: locks that another thread held
//! would be held for ever in the child.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, getpid, getppid, kill_process, waitpid};
use std::io;
use std::os::unix::net::UnixStream;
use thiserror::Error;

/// Why there is no copy.
#[derive(Debug, Error)]
pub enum ForkError {
    /// Other threads run in this process.
    #[error("this process has {0} threads, and only one with a single thread can be forked: run it with one")]
    Threads(usize),
    /// The system refused.
    #[error("the system made no copy of this process ({0}): too many processes, or too little memory")]
    System(#[from] io::Error),
}

/// Which of the two processes this is.
#[derive(Debug)]
pub enum Side {
    /// The one that was there before, with its end of the socket.
    Parent(Child),
    /// The copy, with the other end. It ends with [`leave`], and returns to nobody.
    Child(UnixStream),
}

/// A copy of this process. Dropping it ends it; in another copy of the process, dropping it closes the socket only.
#[derive(Debug)]
pub struct Child {
    socket: UnixStream,
    pid: Pid,
    parent: Pid,
    has_ended: bool,
}

impl Child {
    /// Where it listens, and answers.
    pub fn socket(&mut self) -> &mut UnixStream {
        &mut self.socket
    }

    /// Its number as a process.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Waits until it has ended. Whether it ended by [`leave`].
    pub fn wait(mut self) -> bool {
        self.has_ended = true;
        wait_for(self.pid)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Until it has been waited for, its number belongs to no other process.
        if !self.has_ended && getpid() == self.parent {
            // An error says that it has ended by itself.
            let _ = kill_process(self.pid, Signal::KILL);
            wait_for(self.pid);
        }
    }
}

fn wait_for(pid: Pid) -> bool {
    loop {
        match waitpid(Some(pid), WaitOptions::empty()) {
            Ok(waited) => return waited.is_some_and(|(_, status)| status.exit_status() == Some(0)),
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

/// Copies this process. Both sides go on from here.
///
/// In the child, what was on the stack and on the heap is as it was, and so are open files, which both now share: whoever
/// writes to them, writes twice. So the child does what it was made for and ends with [`leave`], which flushes nothing.
///
/// Errors: other threads run, or the system has no room. Then there is no child.
pub fn fork() -> Result<Side, ForkError> {
    let threads = std::fs::read_dir("/proc/self/task")?.count();
    if threads != 1 {
        return Err(ForkError::Threads(threads));
    }
    let (ours, theirs) = UnixStream::pair()?;
    let parent = getpid();
    // SAFETY: this process has one thread, so no lock is held by a thread that the child will not have, and the child may
    // call whatever it likes, not only what is safe in a signal handler.
    let pid = unsafe { libc::fork() };
    if pid < 0 {
        return Err(io::Error::last_os_error().into());
    }
    match Pid::from_raw(pid) {
        None => {
            drop(ours);
            let is_bound = rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).is_ok();
            // The parent may have ended before it was watched.
            if !is_bound || getppid() != Some(parent) {
                leave();
            }
            Ok(Side::Child(theirs))
        }
        Some(pid) => Ok(Side::Parent(Child { socket: ours, pid, parent, has_ended: false })),
    }
}

/// Ends a copy, here and now: no destructor runs, no buffer is flushed that it shares with the process it was made from.
pub fn leave() -> ! {
    // SAFETY: ends the process; nothing runs afterwards that could be surprised.
    unsafe { libc::_exit(0) }
}

/// Waits until one of them has said something, or has ended. Its position.
///
/// Errors: the system's. Panics: if there is none.
pub fn wait_for_any(children: &[&Child]) -> io::Result<usize> {
    assert!(!children.is_empty(), "nobody would ever say anything");
    let mut sockets: Vec<_> =
        children.iter().map(|child| PollFd::new(&child.socket, PollFlags::IN)).collect();
    loop {
        match poll(&mut sockets, None) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        if let Some(at) = sockets.iter().position(|socket| !socket.revents().is_empty()) {
            return Ok(at);
        }
    }
}
