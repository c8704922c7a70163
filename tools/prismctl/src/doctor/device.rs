// SPDX-License-Identifier: GPL-2.0

//! Network devices, as `/sys` has them.

use std::{
    collections::BTreeMap,
    fs,
    path::{
        Path,
        PathBuf, //
    },
};

use super::host::{
    io_error,
    number, //
};
use crate::{
    error::Error,
    output::visible, //
};

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

/// `/sys/class/net`: all devices.
pub(super) fn devices(class: &Path) -> Result<BTreeMap<String, Device>, Error> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
