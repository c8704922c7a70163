// SPDX-License-Identifier: GPL-2.0

//! The module's files in debugfs: the counters of each CPU, and how long packets took.

use std::{
    collections::BTreeMap,
    fs,
    io,
    path::PathBuf, //
};

use nix::errno::Errno;
use prism_config::{
    Counter,
    Group, //
};

use super::histogram::{
    parse,
    Times, //
};

const DEBUG: &str = "/sys/kernel/debug/prism";

/// Why something cannot be read there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unseen {
    #[error("only root may read {}", .0.display())]
    Denied(PathBuf),
    #[error("this kernel is locked down, as with Secure Boot (see kernel_lockdown(7)): {}", .0.display())]
    LockedDown(PathBuf),
    #[error("there is no {}: mount -t debugfs none /sys/kernel/debug", .0.display())]
    NoDebugfs(PathBuf),
    #[error("the module that is loaded has no {}", .0.display())]
    Older(PathBuf),
    #[error("{}: {why}", .path.display())]
    Io { path: PathBuf, why: io::Error },
}

/// The counters of each CPU, by their names.
pub(crate) type Cpus = BTreeMap<u32, BTreeMap<String, u64>>;

/// The module's directory there.
#[derive(Debug)]
pub(crate) struct Debugfs(PathBuf);

impl Debugfs {
    /// That of this kernel.
    pub(crate) fn new() -> Self {
        Self(DEBUG.into())
    }

    /// What turns the measurement of times on and off.
    pub(crate) fn switch(&self) -> PathBuf {
        self.0.join("latency/enable")
    }

    /// Whether times are measured.
    pub(crate) fn is_measured(&self) -> Result<bool, Unseen> {
        Ok(self.read("latency/enable")?.trim_end() == "1")
    }

    /// What each CPU has counted.
    pub(crate) fn cpus(&self) -> Result<Cpus, Unseen> {
        Ok(cpus(&self.read("counters")?))
    }

    /// How long packets of each class took, as long as that was measured.
    pub(crate) fn by_class(&self) -> Result<Times, Unseen> {
        self.times("latency/delivered", "latency/waited")
    }

    /// The same of each rule that is enabled. [`Unseen::Older`] where the module does not tell.
    pub(crate) fn by_rule(&self) -> Result<Times, Unseen> {
        self.times("latency/delivered_by_rule", "latency/waited_by_rule")
    }

    fn times(&self, delivered: &str, waited: &str) -> Result<Times, Unseen> {
        Ok(Times {
            delivered: parse(&self.read(delivered)?),
            waited: parse(&self.read(waited)?),
        })
    }

    fn read(&self, name: &str) -> Result<String, Unseen> {
        let path = self.0.join(name);

        fs::read_to_string(&path).map_err(|why| {
            match Errno::from_raw(why.raw_os_error().unwrap_or(0)) {
                Errno::EACCES => Unseen::Denied(path),
                // Debugfs refuses root only then (debugfs_locked_down()).
                Errno::EPERM => Unseen::LockedDown(path),
                Errno::ENOENT if self.0.is_dir() => Unseen::Older(path),
                Errno::ENOENT => Unseen::NoDebugfs(self.0.clone()),
                _ => Unseen::Io { path, why },
            }
        })
    }
}

/// What the counters of a CPU add up to, as tables and JSON call it.
pub(crate) const SUMS: [(&str, &str); 5] = [
    ("LOOKED UP", "looked_up"),
    ("AT ONCE", "at_once"),
    ("WAITED", "waited"),
    ("DROPPED", "dropped"),
    ("KERNEL'S", "kernel"),
];

/// How many packets a CPU looked up, put through at once, had wait, dropped, and left to the kernel.
pub(crate) fn sums(counts: &BTreeMap<String, u64>) -> [u64; 5] {
    let sum = |is_in: &dyn Fn(&str) -> bool| {
        let counts = counts.iter().filter(|(name, _)| is_in(name));

        counts.map(|(_, count)| count).sum()
    };

    [
        sum(&|name| matches!(name, "classified" | "unmatched")),
        sum(&|name| name == "completed"),
        sum(&|name| name.starts_with("deferred_")),
        sum(&is_drop),
        sum(&is_left),
    ]
}

/// Whether a counter is of what was dropped.
pub(crate) fn is_drop(name: &str) -> bool {
    name == "purged" || name.starts_with("dropped")
}

/// Whether a counter is of what was left to the kernel though it need not have been.
fn is_left(name: &str) -> bool {
    Counter::named(name)
        .is_some_and(|counter| counter.group == Group::LeftToKernel && !counter.is_normal)
}

/// The table of the file `counters`.
fn cpus(text: &str) -> Cpus {
    let mut lines = text.lines();
    let numbers: Vec<u32> = lines
        .next()
        .unwrap_or("")
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("cpu")?.parse().ok())
        .collect();
    let mut cpus = Cpus::new();

    for line in lines {
        let mut words = line.split_whitespace();
        let Some(name) = words.next() else {
            continue;
        };
        for (cpu, count) in numbers.iter().zip(words) {
            cpus.entry(*cpu)
                .or_default()
                .insert(name.to_owned(), count.parse().unwrap_or(0));
        }
    }
    cpus
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Files in a directory.
    pub(crate) fn files(files: &[(&str, &str)]) -> (tempfile::TempDir, Debugfs) {
        let dir = tempfile::tempdir().unwrap();

        fs::create_dir(dir.path().join("latency")).unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let debug = Debugfs(dir.path().to_owned());
        (dir, debug)
    }

    #[test]
    fn the_table_of_cpus_is_read() {
        let cpus = cpus("counter cpu0 cpu2\nclassified 3 4\ndelivered 1 2\n");

        assert_eq!(cpus.keys().copied().collect::<Vec<_>>(), [0, 2]);
        assert_eq!(cpus[&2]["classified"], 4);
        assert_eq!(cpus[&0]["delivered"], 1);
    }

    #[test]
    fn times_are_read_by_class_and_by_rule() {
        let (_dir, debug) = files(&[
            ("latency/enable", "1\n"),
            ("latency/delivered", "high 256 320 5\n"),
            ("latency/waited", ""),
            ("latency/delivered_by_rule", "docker:a.b:0 256 320 4\n"),
            ("latency/waited_by_rule", "bulk 1024 1280 2\n"),
        ]);
        let (class, rule) = (debug.by_class().unwrap(), debug.by_rule().unwrap());

        assert!(debug.is_measured().unwrap());
        assert_eq!(class.delivered["high"][&(256, 320)], 5);
        assert!(class.waited.is_empty());
        assert_eq!(rule.delivered["docker:a.b:0"][&(256, 320)], 4);
        assert_eq!(rule.waited["bulk"][&(1024, 1280)], 2);
    }

    #[test]
    fn what_is_not_there_is_said() {
        let (dir, debug) = files(&[("latency/delivered", ""), ("latency/waited", "")]);

        assert!(debug.by_class().is_ok());
        let why = debug.by_rule().unwrap_err();
        assert!(matches!(why, Unseen::Older(_)));
        assert!(why.to_string().ends_with("/latency/delivered_by_rule"));
        drop(dir);
        assert!(matches!(debug.cpus(), Err(Unseen::NoDebugfs(_))));
    }
}
