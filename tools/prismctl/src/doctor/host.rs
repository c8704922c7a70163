// SPDX-License-Identifier: GPL-2.0

//! What the kernel counts and how it is set, as files of `/proc` and `/sys` have it.

use std::{
    collections::{
        btree_map::Entry,
        BTreeMap, //
    },
    ffi::OsString,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{
        Path,
        PathBuf, //
    },
    process::{
        Command,
        Stdio, //
    },
};

use serde::Deserialize;

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
    /// Those of namespaces without processes, by the files of these and by their names: Docker has its overlay
    /// networks' there.
    pub(super) elsewhere: BTreeMap<(String, String), Device>,
    /// `net.core.rmem_default`, in bytes.
    pub(super) receive_buffer: u64,
    /// By what identifies each.
    pub(crate) networks: BTreeMap<String, Network>,
    /// The counters of the module, if it is loaded.
    pub(super) module: BTreeMap<String, u64>,
    /// Whether it is, and packets of class high go their own way.
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

/// A network device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Device {
    /// What it is: `vxlan`, `bridge`, ...; none for a NIC.
    pub(super) kind: Option<String>,
    /// Whether it is a piece of hardware, or what a guest takes for that.
    pub(super) is_hardware: bool,
    pub(super) rx_queues: usize,
    pub(super) rx_packets: u64,
    /// Those that spread what they receive over CPUs (RPS).
    pub(super) rps_queues: Vec<String>,
    pub(crate) rx_dropped: u64,
    pub(crate) rx_missed: u64,
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
    /// The host that this runs on.
    pub(crate) fn read() -> Result<Self, Error> {
        let mut cpus = softnet(&read(Path::new("/proc/net/softnet_stat"))?);

        for (cpu, (softirq, ticks)) in times(&read(Path::new("/proc/stat"))?) {
            let cpu = cpus.entry(cpu).or_default();

            (cpu.softirq, cpu.ticks) = (softirq, ticks);
        }
        let networks = networks(Path::new("/proc"));
        let module = prism_config::Module::open().ok();
        let value = |name| module.as_ref()?.value(name).ok();

        Ok(Self {
            cpus,
            max_backlog: number(Path::new("/proc/sys/net/core/netdev_max_backlog")),
            receive_buffer: number(Path::new("/proc/sys/net/core/rmem_default")),
            devices: devices(Path::new("/sys/class/net"))?,
            elsewhere: elsewhere(&networks),
            networks,
            has_mode: value("mode").is_some_and(|mode| mode != "off"),
            isolates: value("isolate").is_some_and(|isolates| isolates == "1"),
            has_slice: value("receiver_slice_us").is_some_and(|slice| slice != "0"),
            module: module
                .as_ref()
                .and_then(|module| module.counters().ok())
                .unwrap_or_default(),
        })
    }
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|why| io_error(path, why))
}

fn io_error(path: &Path, why: io::Error) -> Error {
    Error::Io {
        path: path.to_owned(),
        why,
    }
}

/// The number in a file; zero where the kernel has no such file.
fn number(path: &Path) -> u64 {
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

/// `/sys/class/net`: all devices.
fn devices(class: &Path) -> Result<BTreeMap<String, Device>, Error> {
    let mut devices = BTreeMap::new();

    for entry in fs::read_dir(class).map_err(|why| io_error(class, why))? {
        let path = entry.map_err(|why| io_error(class, why))?.path();
        // There is a file among them where bonds are.
        let Some(name) = path.is_dir().then(|| path.file_name()).flatten() else {
            continue;
        };

        devices.insert(visible(&name.to_string_lossy()), device(&path));
    }
    Ok(devices)
}

fn device(path: &Path) -> Device {
    let queues = queues(&path.join("queues"));
    let is_spread = |queue: &&PathBuf| {
        fs::read_to_string(queue.join("rps_cpus")).is_ok_and(|mask| has_bits(&mask))
    };

    Device {
        kind: fs::read_to_string(path.join("uevent"))
            .ok()
            .and_then(|text| kind(&text)),
        is_hardware: path.join("device").exists(),
        rps_queues: queues
            .iter()
            .filter(is_spread)
            .map(|queue| visible(&queue.to_string_lossy()))
            .collect(),
        rx_queues: queues.len(),
        rx_packets: number(&path.join("statistics/rx_packets")),
        rx_dropped: number(&path.join("statistics/rx_dropped")),
        rx_missed: number(&path.join("statistics/rx_missed_errors")),
    }
}

/// Where namespaces are kept that need no process: Docker's, and those of `ip netns`.
const NAMESPACES: [&str; 2] = ["/run/docker/netns", "/run/netns"];

/// The devices of the namespaces that are kept and in which none of the processes is that were found in
/// `networks`. None where this user may not look.
fn elsewhere(networks: &BTreeMap<String, Network>) -> BTreeMap<(String, String), Device> {
    let files = NAMESPACES
        .iter()
        .flat_map(|dir| fs::read_dir(dir).into_iter().flatten().flatten())
        .map(|entry| entry.path());
    let is_empty = |file: &PathBuf| {
        fs::metadata(file)
            .is_ok_and(|meta| !networks.contains_key(&format!("net:[{}]", meta.ino())))
    };

    files
        .filter(is_empty)
        .flat_map(|file| {
            let namespace = file.to_string_lossy().into_owned();

            links(&file)
                .into_iter()
                .map(move |(name, device)| ((namespace.clone(), name), device))
        })
        .collect()
}

/// What `ip` tells of a namespace's devices.
fn links(namespace: &Path) -> BTreeMap<String, Device> {
    let mut net = OsString::from("--net=");
    net.push(namespace);

    Command::new("nsenter")
        .arg(net)
        .args("ip -json -statistics -details link show".split(' '))
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| serde_json::from_slice::<Vec<Link>>(&output.stdout).ok())
        .into_iter()
        .flatten()
        .map(|link| (visible(&link.ifname), link.into()))
        .collect()
}

/// A device as `ip -json -statistics -details link` has it.
#[derive(Deserialize)]
struct Link {
    ifname: String,
    #[serde(default)]
    linkinfo: LinkInfo,
    #[serde(default)]
    stats64: Directions,
}

#[derive(Default, Deserialize)]
struct LinkInfo {
    info_kind: Option<String>,
}

#[derive(Default, Deserialize)]
struct Directions {
    #[serde(default)]
    rx: Received,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Received {
    packets: u64,
    dropped: u64,
}

impl From<Link> for Device {
    fn from(link: Link) -> Self {
        Self {
            kind: link.linkinfo.info_kind,
            rx_packets: link.stats64.rx.packets,
            rx_dropped: link.stats64.rx.dropped,
            ..Self::default()
        }
    }
}

/// The queues that receive.
fn queues(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut queues: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("rx-"))
        })
        .collect();

    queues.sort();
    queues
}

/// Whether a mask of CPUs, such as `00000000,00000003`, has one.
fn has_bits(mask: &str) -> bool {
    mask.trim_end()
        .chars()
        .any(|digit| digit != '0' && digit != ',')
}

/// `DEVTYPE` of a uevent file.
fn kind(text: &str) -> Option<String> {
    let kind = |line: &str| Some(line.strip_prefix("DEVTYPE=")?.to_owned());

    text.lines().find_map(kind)
}

/// `/proc`: all that processes are in, and may be looked at.
fn networks(proc: &Path) -> BTreeMap<String, Network> {
    let mut networks = BTreeMap::new();
    let mut processes: Vec<u32> = fs::read_dir(proc)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();

    processes.sort_unstable();
    for process in processes {
        let path = proc.join(process.to_string());
        let Ok(id) = fs::read_link(path.join("ns/net")) else {
            continue;
        };
        let Entry::Vacant(place) = networks.entry(id.to_string_lossy().into_owned()) else {
            continue;
        };
        // Where this one has gone, another one may be there.
        let Ok(snmp) = fs::read_to_string(path.join("net/snmp")) else {
            continue;
        };
        let command = fs::read_to_string(path.join("comm")).unwrap_or_default();

        place.insert(Network {
            process: format!("{process} ({})", visible(command.trim_end())),
            ..network(&snmp)
        });
    }
    networks
}

/// `/proc/net/snmp`: for each protocol a line of names, and one of numbers.
fn network(snmp: &str) -> Network {
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
    let sum = |values: &[(&str, &str)]| {
        values
            .iter()
            .filter_map(|(protocol, name)| value(protocol, name))
            .sum()
    };

    Network {
        checksum_errors: sum(&[("Tcp", "InCsumErrors"), ("Udp", "InCsumErrors")]),
        fragments: sum(&[("Ip", "ReasmReqds")]),
        buffer_errors: sum(&[("Udp", "RcvbufErrors")]),
        ..Network::default()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

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
            network(text),
            Network {
                checksum_errors: 7,
                fragments: 12,
                buffer_errors: 5,
                ..Network::default()
            }
        );
        assert_eq!(network(""), Network::default());
    }

    #[test]
    fn terminals_do_not_obey_names_of_devices() {
        let dir = tempfile::tempdir().unwrap();
        let queue = dir.path().join("e\u{1b}c\u{9b}2J/queues/rx-0");

        fs::create_dir_all(&queue).unwrap();
        fs::write(queue.join("rps_cpus"), "3\n").unwrap();
        let devices = devices(dir.path()).unwrap();

        assert_eq!(devices.keys().collect::<Vec<_>>(), [r"e\u{1b}c\u{9b}2J"]);
        assert!(devices.values().all(|device| {
            device.rps_queues.len() == 1
                && device.rps_queues[0].ends_with(r"/e\u{1b}c\u{9b}2J/queues/rx-0")
        }));
    }

    /// A process in the network namespace of the host, of that name.
    fn process(proc: &Path, number: u32, command: &str) -> PathBuf {
        let process = proc.join(number.to_string());

        fs::create_dir_all(process.join("ns")).unwrap();
        fs::create_dir_all(process.join("net")).unwrap();
        symlink("net:[4026531840]", process.join("ns/net")).unwrap();
        fs::write(process.join("comm"), command).unwrap();
        fs::write(process.join("net/snmp"), "Udp: RcvbufErrors\nUdp: 7\n").unwrap();
        process
    }

    #[test]
    fn terminals_do_not_obey_names_of_processes() {
        let dir = tempfile::tempdir().unwrap();

        process(dir.path(), 42, "\u{1b}]0;x\u{7}\r\nsh\n");
        let networks = networks(dir.path());
        let names: Vec<_> = networks.values().map(|network| &network.process).collect();

        assert_eq!(names, [r"42 (\u{1b}]0;x\u{7}\r\nsh)"]);
    }

    #[test]
    fn a_network_is_the_same_whoever_is_found_there() {
        let dir = tempfile::tempdir().unwrap();
        let first = process(dir.path(), 5, "init\n");

        process(dir.path(), 9, "sh\n");
        let before = networks(dir.path());
        // It goes while it is looked at, and then it has gone.
        fs::remove_file(first.join("net/snmp")).unwrap();
        let meanwhile = networks(dir.path());
        fs::remove_dir_all(first).unwrap();
        let after = networks(dir.path());

        assert_eq!(before["net:[4026531840]"].process, "5 (init)");
        assert_eq!(after["net:[4026531840]"].process, "9 (sh)");
        assert_eq!(after["net:[4026531840]"].buffer_errors, 7);
        assert_eq!(meanwhile, after);
        assert_eq!(after.len(), 1);
    }

    #[test]
    fn links_are_read() {
        let text = r#"[
            {"ifname":"lo","link_type":"loopback","stats64":{"rx":{"bytes":0,"packets":7,"dropped":0}}},
            {"ifname":"vxlan0","linkinfo":{"info_kind":"vxlan","info_data":{"id":4097}},
             "stats64":{"rx":{"packets":12,"errors":0,"dropped":5},"tx":{"packets":1}}},
            {"ifname":"br0","linkinfo":{"info_kind":"bridge"}}
        ]"#;
        let links: Vec<Link> = serde_json::from_str(text).unwrap();
        let devices: Vec<Device> = links.into_iter().map(Device::from).collect();

        assert_eq!(devices[0].kind, None);
        assert_eq!(devices[1].kind.as_deref(), Some("vxlan"));
        assert_eq!((devices[1].rx_packets, devices[1].rx_dropped), (12, 5));
        assert_eq!(devices[2].rx_dropped, 0);
    }

    #[test]
    fn masks_are_read() {
        assert!(has_bits("00000000,00000010\n"));
        assert!(!has_bits("00000000,00000000\n"));
    }

    #[test]
    fn kinds_are_read() {
        assert_eq!(
            kind("DEVTYPE=vxlan\nINTERFACE=vx0\n").as_deref(),
            Some("vxlan")
        );
        assert_eq!(kind("INTERFACE=eth0\n"), None);
    }
}
