// SPDX-License-Identifier: GPL-2.0

//! Network namespaces that are kept and have no process.

use std::{
    collections::{
        BTreeMap,
        BTreeSet, //
    },
    ffi::OsString,
    fs::{
        self,
        File, //
    },
    os::unix::fs::MetadataExt,
    path::{
        Path,
        PathBuf, //
    },
    process::{
        Command,
        Stdio, //
    },
    thread,
};

use nix::sched::{
    setns,
    CloneFlags, //
};
use serde::Deserialize;

use super::{
    device::Device,
    host::Network, //
};
use crate::output::visible;

/// Where they are kept: Docker's, and those of `ip netns`. The one may be a link to the other.
const DIRS: [&str; 2] = ["/run/docker/netns", "/run/netns"];

/// The files of those in which none of the processes is that were found in `networks`, one for each namespace.
fn files(dirs: &[&Path], networks: &BTreeMap<String, Network>) -> Vec<PathBuf> {
    let mut seen = BTreeSet::new();
    let mut is_new = |file: &PathBuf| {
        fs::metadata(file).is_ok_and(|meta| {
            !networks.contains_key(&format!("net:[{}]", meta.ino()))
                && seen.insert((meta.dev(), meta.ino()))
        })
    };
    let mut files = Vec::new();

    for dir in dirs {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();

        // Of several it is the same one each time.
        paths.sort();
        paths.retain(&mut is_new);
        files.extend(paths);
    }
    files
}

/// Their devices, by the files of the namespaces and by their names; and the files of those that cannot be looked
/// into.
pub(super) fn devices(
    networks: &BTreeMap<String, Network>,
) -> (BTreeMap<(String, String), Device>, Vec<String>) {
    looked_into(files(&DIRS.map(Path::new), networks), links)
}

/// The same of these files, of which `links` tells.
fn looked_into(
    files: Vec<PathBuf>,
    links: impl Fn(&Path) -> Option<BTreeMap<String, Device>>,
) -> (BTreeMap<(String, String), Device>, Vec<String>) {
    let mut devices = BTreeMap::new();
    let mut closed = Vec::new();

    for file in files {
        let namespace = file.to_string_lossy().into_owned();

        match links(&file) {
            Some(links) => devices.extend(
                links
                    .into_iter()
                    .map(|(name, device)| ((namespace.clone(), name), device)),
            ),
            None if file.exists() => closed.push(namespace),
            // It went meanwhile.
            None => (),
        }
    }
    (devices, closed)
}

/// What `ip` tells of a namespace's devices. `None` where it, or `nsenter`, is not there or may not.
fn links(namespace: &Path) -> Option<BTreeMap<String, Device>> {
    let mut net = OsString::from("--net=");
    net.push(namespace);
    let output = Command::new("nsenter")
        .arg(net)
        .args("ip -json -statistics -details link show".split(' '))
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let links: Vec<Link> = serde_json::from_slice(&output.stdout).ok()?;

    Some(
        links
            .into_iter()
            .map(|link| (visible(&link.ifname), link.into()))
            .collect(),
    )
}

/// What their devices have dropped of what they received, by which devices these are, in words. None where this
/// user may not look.
pub(crate) fn drops(networks: &BTreeMap<String, Network>) -> Vec<(String, u64)> {
    let of = |file: PathBuf| {
        let namespace = visible(&file.to_string_lossy());

        dropped(&net_dev(&file).unwrap_or_default())
            .into_iter()
            .map(move |(name, packets)| (format!("{name} of {namespace}"), packets))
    };

    files(&DIRS.map(Path::new), networks)
        .into_iter()
        .flat_map(of)
        .collect()
}

/// `/proc/net/dev` of a namespace, which a thread enters that is there for nothing else. `None` where it may not.
fn net_dev(namespace: &Path) -> Option<String> {
    let file = File::open(namespace).ok()?;
    let read = move || {
        setns(file, CloneFlags::CLONE_NEWNET).ok()?;
        let text = fs::read("/proc/thread-self/net/dev").ok()?;

        Some(String::from_utf8_lossy(&text).into_owned())
    };

    thread::Builder::new().spawn(read).ok()?.join().ok()?
}

/// `/proc/net/dev`: behind two lines of headings a device on each, with what it received: bytes, packets, errors,
/// drops, ...
fn dropped(dev: &str) -> Vec<(String, u64)> {
    let line = |line: &str| {
        let (name, counts) = line.split_once(':')?;
        let packets = counts.split_ascii_whitespace().nth(3)?.parse().ok()?;

        Some((visible(name.trim_start_matches(' ')), packets))
    };

    dev.lines().skip(2).filter_map(line).collect()
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A file stands for a namespace, and hard links to it for other names of it.
    #[test]
    fn each_namespace_is_found_once() {
        let dir = tempfile::tempdir().unwrap();
        let [docker, netns, link, none] =
            ["docker", "netns", "link", "none"].map(|name| dir.path().join(name));

        fs::create_dir(&docker).unwrap();
        fs::create_dir(&netns).unwrap();
        symlink(&docker, &link).unwrap();
        for name in ["1-abc", "2-def"] {
            fs::write(docker.join(name), "").unwrap();
        }
        fs::write(netns.join("own"), "").unwrap();
        fs::hard_link(docker.join("1-abc"), docker.join("0-abc")).unwrap();
        fs::hard_link(docker.join("2-def"), netns.join("def")).unwrap();
        let dirs = [&docker, &netns, &link, &none].map(PathBuf::as_path);
        let expected = [
            docker.join("0-abc"),
            docker.join("2-def"),
            netns.join("own"),
        ];

        assert_eq!(files(&dirs, &BTreeMap::new()), expected);
        let id = format!("net:[{}]", fs::metadata(&expected[1]).unwrap().ino());
        let networks = BTreeMap::from([(id, Network::default())]);
        assert_eq!(
            files(&dirs, &networks),
            [expected[0].clone(), expected[2].clone()]
        );
    }

    #[test]
    fn what_cannot_be_looked_into_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let [open, closed, gone] = ["open", "closed", "gone"].map(|name| dir.path().join(name));
        let device = BTreeMap::from([("vxlan0".to_owned(), Device::default())]);

        fs::write(&open, "").unwrap();
        fs::write(&closed, "").unwrap();
        let (devices, unseen) = looked_into(vec![open.clone(), closed.clone(), gone], |file| {
            (file == open).then(|| device.clone())
        });

        assert_eq!(
            devices.into_keys().collect::<Vec<_>>(),
            [(open.to_string_lossy().into_owned(), "vxlan0".to_owned())]
        );
        assert_eq!(unseen, [closed.to_string_lossy()]);
        // Nor is there such a namespace.
        assert_eq!(links(&closed), None);
    }

    #[test]
    fn net_dev_is_read() {
        let text = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
vxlan0: 1234567    8901    2   34    5     6          7         8        9      10   11   12   13    14      15         16
 e\u{1b}c:       1       2    3    4    5     6          7         8        9      10   11   12   13    14      15         16
";

        assert_eq!(
            dropped(text),
            [("lo", 0), ("vxlan0", 34), (r"e\u{1b}c", 4)]
                .map(|(name, packets)| (name.to_owned(), packets))
        );
        assert_eq!(dropped(""), []);
    }

    #[test]
    fn what_is_no_namespace_is_not_entered() {
        let file = tempfile::NamedTempFile::new().unwrap();

        assert_eq!(net_dev(file.path()), None);
        assert_eq!(net_dev(Path::new("/none")), None);
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
}
