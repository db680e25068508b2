//! Processor time, as the kernel counts it, in nanoseconds. Zero where it does not.

/// Of the first thread of this process.
pub fn of_first_thread() -> u64 {
    read("/proc/self/schedstat")
}

/// Of the first thread of another process. What its other threads do is not in it.
pub fn of_process(pid: u32) -> u64 {
    read(&format!("/proc/{pid}/schedstat"))
}

fn read(path: &str) -> u64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0)
}
