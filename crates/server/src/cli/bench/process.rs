//! What a process spends, read from `/proc`.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};

/// The kernel counts CPU time in `/proc/<pid>/stat` in ticks of this length, on every Linux
/// that matters (`getconf CLK_TCK` is 100).
const CLOCK_TICK: Duration = Duration::from_millis(10);

/// A process on this machine.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pid: u32,
}

/// CPU time as it stood at one moment.
#[derive(Debug)]
pub(super) struct CpuMark {
    /// Of each thread, in nanoseconds.
    threads: HashMap<u32, u64>,
    /// Of the whole process with its ended threads, in [`CLOCK_TICK`]s.
    total: Duration,
}

/// Memory in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    /// Resident: what the process has in memory, shared pages included.
    pub(super) resident: u64,
    /// What would be freed if the process ended, if the kernel tells.
    pub(super) private: Option<u64>,
}

impl Process {
    /// The process with this id, if there is one.
    pub(super) fn of(pid: u32) -> anyhow::Result<Self> {
        let process = Self { pid };
        process
            .cpu()
            .with_context(|| format!("no process {pid} to measure"))?;
        Ok(process)
    }

    /// This process itself.
    pub(super) fn own() -> Self {
        Self {
            pid: std::process::id(),
        }
    }

    /// The process that listens on this TCP port.
    pub(super) fn listening_on(port: u16) -> anyhow::Result<Self> {
        let inodes = listening_inodes(port);
        if inodes.is_empty() {
            bail!("nothing listens on port {port}; is the server running?");
        }
        match owner_of(&inodes) {
            Some(pid) => Ok(Self { pid }),
            None => bail!("cannot tell whose port {port} is; give its process with --pid"),
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// The CPU time spent so far.
    pub(super) fn cpu(&self) -> anyhow::Result<CpuMark> {
        Ok(CpuMark {
            threads: self.threads()?,
            total: self.total()?,
        })
    }

    fn threads(&self) -> anyhow::Result<HashMap<u32, u64>> {
        let mut threads = HashMap::new();
        for entry in fs::read_dir(self.path("task"))? {
            let entry = entry?;
            // A thread may end while we look.
            let Ok(text) = fs::read_to_string(entry.path().join("schedstat")) else {
                continue;
            };
            if let (Some(tid), Some(ns)) = (number(&entry.file_name()), first_number(&text)) {
                threads.insert(tid, ns);
            }
        }
        Ok(threads)
    }

    /// `utime` and `stime` of `/proc/<pid>/stat`.
    fn total(&self) -> anyhow::Result<Duration> {
        let stat = fs::read_to_string(self.path("stat"))?;
        // The name, in parentheses, may hold anything; the fields after it are numbers.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let field = |at: usize| fields.split_whitespace().nth(at)?.parse::<u32>().ok();
        let (user, system) = (field(11), field(12));
        let ticks = user.zip(system).context("/proc/<pid>/stat has no times")?;
        Ok(CLOCK_TICK * (ticks.0 + ticks.1))
    }

    /// The memory in use now.
    pub(super) fn memory(&self) -> anyhow::Result<Memory> {
        let status = fs::read_to_string(self.path("status"))?;
        let resident = kib_field(&status, "VmRSS:").context("no VmRSS")?;
        let rollup = fs::read_to_string(self.path("smaps_rollup")).ok();
        Ok(Memory {
            resident,
            private: rollup.as_deref().and_then(private),
        })
    }

    fn path(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.pid))
    }
}

impl CpuMark {
    /// The CPU time from `before` to this mark. The scheduler's nanoseconds, unless threads
    /// have ended and taken more time with them than the coarser count can be wrong by.
    pub(super) fn since(&self, before: &Self) -> Duration {
        let spent =
            |(tid, ns): (&u32, &u64)| ns.saturating_sub(*before.threads.get(tid).unwrap_or(&0));
        let fine = Duration::from_nanos(self.threads.iter().map(spent).sum());
        let coarse = self.total.saturating_sub(before.total);
        if coarse > fine + 2 * CLOCK_TICK {
            coarse
        } else {
            fine
        }
    }
}

/// The CPU time every process and the kernel of this machine have spent, all cores together.
pub(super) fn machine_cpu() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = line
        .split_whitespace()
        .map_while(|field| field.parse().ok())
        .collect();
    // user nice system idle iowait irq softirq steal
    let busy: u64 = [0, 1, 2, 5, 6, 7]
        .iter()
        .filter_map(|at| ticks.get(*at))
        .sum();
    Some(CLOCK_TICK * u32::try_from(busy).ok()?)
}

fn private(rollup: &str) -> Option<u64> {
    Some(kib_field(rollup, "Private_Clean:")? + kib_field(rollup, "Private_Dirty:")?)
}

/// The value of `name   123 kB`, in bytes.
fn kib_field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(first_number(line)? * 1024)
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

fn number(name: &std::ffi::OsStr) -> Option<u32> {
    name.to_str()?.parse().ok()
}

/// The socket inodes that listen on a port, as `/proc/net/tcp` and `tcp6` list them.
fn listening_inodes(port: u16) -> Vec<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"]
        .map(|path| fs::read_to_string(path).unwrap_or_default());
    tables
        .iter()
        .flat_map(|table| table.lines())
        .filter_map(|line| listening_inode(line, port))
        .collect()
}

/// `sl local_address rem_address st ... inode`, the port in hex, state `0A` for listening.
fn listening_inode(line: &str, port: u16) -> Option<String> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
    let (_, hex) = local.rsplit_once(':')?;
    let listens = *state == "0A" && u16::from_str_radix(hex, 16) == Ok(port);
    listens.then(|| format!("socket:[{inode}]"))
}

/// The first process that has one of these sockets open, as far as we may look.
fn owner_of(sockets: &[String]) -> Option<u32> {
    let processes = fs::read_dir("/proc").ok()?;
    let mut pids: Vec<u32> = processes
        .flatten()
        .filter_map(|entry| number(&entry.file_name()))
        .collect();
    pids.sort_unstable();
    pids.into_iter().find(|pid| has_open(*pid, sockets))
}

fn has_open(pid: u32, sockets: &[String]) -> bool {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    files
        .flatten()
        .filter_map(|file| fs::read_link(file.path()).ok())
        .any(|target| {
            let target = target.to_string_lossy();
            sockets.iter().any(|socket| *socket == target)
        })
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn finds_who_listens() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let found = Process::listening_on(port).expect("our own socket");
        assert_eq!(found.pid(), std::process::id());
        drop(listener);
        assert!(Process::listening_on(port).is_err());
    }

    #[test]
    fn counts_the_cpu_time_of_this_process() {
        let process = Process::own();
        let before = process.cpu().expect("readable");
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(100) {
            std::hint::spin_loop();
        }
        let spent = process.cpu().expect("readable").since(&before);
        // Other work on the machine may have kept us from our core half of the time.
        assert!(spent > Duration::from_millis(30), "{spent:?}");
    }

    #[test]
    fn reads_the_memory_of_this_process() {
        let memory = Process::own().memory().expect("readable");
        assert!(memory.resident > 100 * 1024);
        assert!(
            memory
                .private
                .is_none_or(|private| private <= memory.resident + (1 << 20))
        );
    }

    #[test]
    fn reads_a_line_of_the_kernels_table() {
        let line = "   0: 0100007F:1F94 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1";
        assert_eq!(listening_inode(line, 8084), Some("socket:[4711]".into()));
        assert_eq!(listening_inode(line, 8085), None);
    }
}
