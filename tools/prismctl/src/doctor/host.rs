// SPDX-License-Identifier: GPL-2.0

//! What the kernel counts and how it is set, as files of `/proc` and `/sys` have it.

use std::{
    collections::{
        btree_map::Entry,
        BTreeMap, //
    },
    fs,
    io,
    path::Path, //
};

use prism_config::{
    Error as ModuleError,
    Module, //
};

use super::{
    device::{
        devices,
        Device, //
    },
    namespace,
};
use crate::{
    error::Error,
    output::visible, //
};

/// A host at a moment. What a terminal would obey is made visible in all names, as containers choose those
/// of processes, and of devices that were theirs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Host {
    pub(crate) cpus: BTreeMap<u32, Cpu>,
    /// `net.core.netdev_max_backlog`.
    pub(super) max_backlog: u64,
    pub(crate) devices: BTreeMap<String, Device>,
    /// Those of namespaces without processes, by the files of these and by their names, where they were looked
    /// into: Docker has its overlay networks' there.
    pub(super) elsewhere: BTreeMap<(String, String), Device>,
    /// `net.core.rmem_default`, in bytes.
    pub(super) receive_buffer: u64,
    /// By what identifies each.
    pub(crate) networks: BTreeMap<String, Network>,
    /// How many processes there are whose networks this user may not look at.
    pub(super) hidden: usize,
    /// Namespaces without processes that could not be looked into, by their files.
    pub(super) closed: Vec<String>,
    /// Whether the module is loaded.
    pub(super) is_loaded: bool,
    /// The counters of the module, if it is loaded.
    pub(super) module: BTreeMap<String, u64>,
    /// Whether packets of class high go their own way.
    pub(super) has_mode: bool,
    /// And others wait.
    pub(super) isolates: bool,
    /// And receivers have a time slice of their own.
    pub(super) has_slice: bool,
}

/// What a CPU has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cpu {
    /// Of `/proc/net/softnet_stat`: packets that its backlog had no room for.
    pub(crate) dropped: u64,
    /// And times that its softirq had to end before all was received.
    pub(super) squeezed: u64,
    /// Of `/proc/stat`, in ticks: in softirq, and in all.
    pub(super) softirq: u64,
    pub(super) ticks: u64,
}

/// A network namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Network {
    /// The process that was found there first, which may be another one the next time.
    pub(crate) process: String,
    /// Segments and datagrams with a wrong checksum.
    pub(super) checksum_errors: u64,
    /// Fragments that were received.
    pub(super) fragments: u64,
    /// Datagrams that a socket had no room for.
    pub(crate) buffer_errors: u64,
}

impl Host {
    /// The host that this runs on, without what is in namespaces that have no process.
    pub(crate) fn read() -> Result<Self, Error> {
        let mut cpus = softnet(&read(Path::new("/proc/net/softnet_stat"))?);

        for (cpu, (softirq, ticks)) in times(&read(Path::new("/proc/stat"))?) {
            let cpu = cpus.entry(cpu).or_default();

            (cpu.softirq, cpu.ticks) = (softirq, ticks);
        }
        let (networks, hidden) = networks(Path::new("/proc"));
        let module = Module::open();
        let is_loaded = !matches!(module, Err(ModuleError::NotLoaded));
        let module = module.ok();
        let value = |name| module.as_ref()?.value(name).ok();

        Ok(Self {
            cpus,
            max_backlog: number(Path::new("/proc/sys/net/core/netdev_max_backlog")),
            receive_buffer: number(Path::new("/proc/sys/net/core/rmem_default")),
            devices: devices(Path::new("/sys/class/net"))?,
            elsewhere: BTreeMap::new(),
            networks,
            hidden,
            closed: Vec::new(),
            is_loaded,
            has_mode: value("mode").is_some_and(|mode| mode != "off"),
            isolates: value("isolate").is_some_and(|isolates| isolates == "1"),
            has_slice: value("receiver_slice_us").is_some_and(|slice| slice != "0"),
            module: module
                .as_ref()
                .and_then(|module| module.counters().ok())
                .unwrap_or_default(),
        })
    }

    /// All of it.
    pub(super) fn read_all() -> Result<Self, Error> {
        let host = Self::read()?;
        let (elsewhere, closed) = namespace::devices(&host.networks);

        Ok(Self {
            elsewhere,
            closed,
            ..host
        })
    }
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|why| io_error(path, why))
}

pub(super) fn io_error(path: &Path, why: io::Error) -> Error {
    Error::Io {
        path: path.to_owned(),
        why,
    }
}

/// The number in a file; zero where the kernel has no such file.
pub(super) fn number(path: &Path) -> u64 {
    fs::read_to_string(path)
        .ok()
        .and_then(|text| text.trim_end().parse().ok())
        .unwrap_or(0)
}

/// `/proc/net/softnet_stat`: a line for each CPU that is online, in hexadecimal. The first columns are
/// what was processed, dropped and squeezed; the thirteenth is the CPU.
fn softnet(text: &str) -> BTreeMap<u32, Cpu> {
    let line = |(number, line): (usize, &str)| {
        let words: Vec<u64> = line
            .split_ascii_whitespace()
            .map(|word| u64::from_str_radix(word, 16).unwrap_or(0))
            .collect();
        let cpu = words.get(12).copied().unwrap_or(number as u64);

        Some((
            u32::try_from(cpu).ok()?,
            Cpu {
                dropped: *words.get(1)?,
                squeezed: *words.get(2)?,
                ..Cpu::default()
            },
        ))
    };

    text.lines().enumerate().filter_map(line).collect()
}

/// `/proc/stat`: for each CPU its ticks in softirq, and all.
fn times(text: &str) -> BTreeMap<u32, (u64, u64)> {
    let line = |line: &str| {
        let (name, rest) = line.split_once(' ')?;
        let cpu = name.strip_prefix("cpu")?.parse().ok()?;
        let ticks: Vec<u64> = rest
            .split_ascii_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect();

        // What guests take is part of what users do.
        Some((cpu, (*ticks.get(6)?, ticks.iter().take(8).sum())))
    };

    text.lines().filter_map(line).collect()
}

/// `/proc`: all that processes are in, and may be looked at; and how many processes may not.
fn networks(proc: &Path) -> (BTreeMap<String, Network>, usize) {
    let mut networks = BTreeMap::new();
    let mut hidden = 0;
    let mut processes: Vec<u32> = fs::read_dir(proc)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();

    processes.sort_unstable();
    for process in processes {
        let path = proc.join(process.to_string());
        let id = match fs::read_link(path.join("ns/net")) {
            Ok(id) => id,
            Err(why) => {
                // Other reasons are that it has gone, or is going.
                hidden += usize::from(why.kind() == io::ErrorKind::PermissionDenied);
                continue;
            }
        };
        let Entry::Vacant(place) = networks.entry(id.to_string_lossy().into_owned()) else {
            continue;
        };
        let snmp = path.join("net/snmp");
        // Where this one has gone, another one may be there.
        let Ok(text) = fs::read_to_string(&snmp) else {
            continue;
        };
        let v6 = match fs::read_to_string(path.join("net/snmp6")) {
            Ok(v6) => v6,
            // A kernel without IPv6 has none; of a process that has gone neither is there.
            Err(_) if snmp.exists() => String::new(),
            Err(_) => continue,
        };
        let command = fs::read_to_string(path.join("comm")).unwrap_or_default();

        place.insert(Network {
            process: format!("{process} ({})", visible(command.trim_end())),
            ..network(&text, &v6)
        });
    }
    (networks, hidden)
}

/// `/proc/net/snmp`: for each protocol a line of names, and one of numbers; and `/proc/net/snmp6`: a name and a
/// number on each line. TCP counts what comes by IPv6 in the first.
fn network(snmp: &str, snmp6: &str) -> Network {
    let lines: Vec<&str> = snmp.lines().collect();
    let value = |protocol: &str, name: &str| {
        lines.chunks_exact(2).find_map(|pair| {
            let names = pair[0].strip_prefix(protocol)?.strip_prefix(':')?;
            let numbers = pair[1].strip_prefix(protocol)?.strip_prefix(':')?;
            let place = names.split_ascii_whitespace().position(|it| it == name)?;

            numbers
                .split_ascii_whitespace()
                .nth(place)?
                .parse::<u64>()
                .ok()
        })
    };
    let value6 = |name: &str| {
        snmp6.lines().find_map(|line| {
            let mut words = line.split_ascii_whitespace();

            words.next().filter(|word| *word == name)?;
            words.next()?.parse::<u64>().ok()
        })
    };
    let sum = |values: &[(&str, &str)], v6: &str| {
        values
            .iter()
            .filter_map(|(protocol, name)| value(protocol, name))
            .chain(value6(v6))
            .sum()
    };

    Network {
        checksum_errors: sum(
            &[("Tcp", "InCsumErrors"), ("Udp", "InCsumErrors")],
            "Udp6InCsumErrors",
        ),
        fragments: sum(&[("Ip", "ReasmReqds")], "Ip6ReasmReqds"),
        buffer_errors: sum(&[("Udp", "RcvbufErrors")], "Udp6RcvbufErrors"),
        ..Network::default()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::Write,
        os::unix::fs::{
            symlink,
            PermissionsExt, //
        },
        path::PathBuf,
        thread, //
    };

    use nix::{
        sys::stat::Mode,
        unistd::mkfifo, //
    };

    use super::*;

    #[test]
    fn softnet_stat_is_read() {
        let text = "\
000004d2 00000007 0000000a 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
00000001 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000003 00000000 00000000
";
        let cpus = softnet(text);

        assert_eq!(cpus.keys().copied().collect::<Vec<_>>(), [0, 3]);
        assert_eq!((cpus[&0].dropped, cpus[&0].squeezed), (7, 10));
    }

    #[test]
    fn stat_is_read() {
        let text = "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 10 1 20 500 3 0 66 0 4 0\ncpu11 1 0 1 1 0 0 97 0 0 0\nintr 1 2\n";

        assert_eq!(
            times(text),
            BTreeMap::from([(0, (66, 600)), (11, (97, 100))])
        );
    }

    #[test]
    fn snmp_is_read() {
        let text = "\
Ip: Forwarding DefaultTTL ReasmReqds
Ip: 1 64 12
Tcp: RtoAlgorithm MaxConn InCsumErrors
Tcp: 1 -1 3
Udp: InDatagrams RcvbufErrors InCsumErrors
Udp: 100 5 4
UdpLite: InDatagrams RcvbufErrors InCsumErrors
UdpLite: 100 50 40
";

        assert_eq!(
            network(text, ""),
            Network {
                checksum_errors: 7,
                fragments: 12,
                buffer_errors: 5,
                ..Network::default()
            }
        );
        assert_eq!(network("", ""), Network::default());
        let v6 = "\
Ip6InReceives                   	900
Ip6ReasmReqds                   	30
Udp6InDatagrams                 	200
Udp6RcvbufErrors                	10
Udp6InCsumErrors                	20
UdpLite6RcvbufErrors            	300
UdpLite6InCsumErrors            	400
";
        assert_eq!(
            network(text, v6),
            Network {
                checksum_errors: 27,
                fragments: 42,
                buffer_errors: 15,
                ..Network::default()
            }
        );
    }

    /// A process in the network namespace of the host, of that name.
    fn process(proc: &Path, number: u32, command: &str) -> PathBuf {
        let process = proc.join(number.to_string());

        fs::create_dir_all(process.join("ns")).unwrap();
        fs::create_dir_all(process.join("net")).unwrap();
        symlink("net:[4026531840]", process.join("ns/net")).unwrap();
        fs::write(process.join("comm"), command).unwrap();
        fs::write(process.join("net/snmp"), "Udp: RcvbufErrors\nUdp: 7\n").unwrap();
        fs::write(process.join("net/snmp6"), "Udp6RcvbufErrors\t3\n").unwrap();
        process
    }

    #[test]
    fn terminals_do_not_obey_names_of_processes() {
        let dir = tempfile::tempdir().unwrap();

        process(dir.path(), 42, "\u{1b}]0;x\u{7}\r\nsh\n");
        let (networks, _) = networks(dir.path());
        let names: Vec<_> = networks.values().map(|network| &network.process).collect();

        assert_eq!(names, [r"42 (\u{1b}]0;x\u{7}\r\nsh)"]);
    }

    #[test]
    fn a_network_is_the_same_whoever_is_found_there() {
        let dir = tempfile::tempdir().unwrap();
        let first = process(dir.path(), 5, "init\n");

        process(dir.path(), 9, "sh\n");
        let (before, _) = networks(dir.path());
        // It goes while it is looked at, and then it has gone.
        fs::remove_file(first.join("net/snmp")).unwrap();
        let (meanwhile, _) = networks(dir.path());
        fs::remove_dir_all(first).unwrap();
        let (after, _) = networks(dir.path());

        assert_eq!(before["net:[4026531840]"].process, "5 (init)");
        assert_eq!(after["net:[4026531840]"].process, "9 (sh)");
        assert_eq!(after["net:[4026531840]"].buffer_errors, 10);
        assert_eq!(meanwhile, after);
        assert_eq!(after.len(), 1);
    }

    #[test]
    fn processes_that_may_not_be_looked_at_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let closed = process(dir.path(), 9, "sh\n").join("ns");
        let set_mode =
            |mode| fs::set_permissions(&closed, fs::Permissions::from_mode(mode)).unwrap();

        process(dir.path(), 5, "init\n");
        // It is going.
        fs::create_dir(dir.path().join("7")).unwrap();
        assert_eq!(networks(dir.path()).1, 0);
        set_mode(0);
        // Root may.
        let may = fs::read_dir(&closed).is_ok();
        assert_eq!(networks(dir.path()).1, usize::from(!may));
        set_mode(0o700);
    }

    #[test]
    fn a_kernel_may_be_without_ipv6() {
        let dir = tempfile::tempdir().unwrap();

        fs::remove_file(process(dir.path(), 5, "init\n").join("net/snmp6")).unwrap();
        assert_eq!(networks(dir.path()).0["net:[4026531840]"].buffer_errors, 7);
    }

    #[test]
    fn a_process_that_goes_halfway_tells_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let first = process(dir.path(), 5, "init\n");
        let snmp = first.join("net/snmp");

        process(dir.path(), 9, "sh\n");
        fs::remove_file(&snmp).unwrap();
        mkfifo(&snmp, Mode::S_IRWXU).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                // Opened, when it is being read.
                let mut file = File::options().write(true).open(&snmp).unwrap();

                fs::remove_dir_all(&first).unwrap();
                file.write_all(b"Udp: RcvbufErrors\nUdp: 7\n").unwrap();
            });
            let (networks, _) = networks(dir.path());

            assert_eq!(networks["net:[4026531840]"].process, "9 (sh)");
            assert_eq!(networks["net:[4026531840]"].buffer_errors, 10);
        });
    }
}
