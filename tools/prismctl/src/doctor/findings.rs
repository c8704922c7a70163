// SPDX-License-Identifier: GPL-2.0

//! What is wrong with a host, by two looks at it.

use std::borrow::Cow;

use serde::Serialize;

use super::{
    device::Device,
    host::{
        Cpu,
        Host,
        Network, //
    }, //
};
use crate::output::visible;

/// Something that an operator should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    /// What it is, in a sentence or two.
    pub(super) what: String,
    /// What mends it.
    pub(super) commands: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    /// It happened between the two looks.
    Now,
    /// It has happened since the host booted.
    Earlier,
    /// It is how something is set.
    Setting,
    /// Something was not looked at.
    Unseen,
}

/// Per cent of a CPU's time in softirq from which on it does hardly anything else.
const PINNED: u64 = 80;
/// And of another's, up to which it has time.
const IDLE: u64 = 30;

/// What is found, the most urgent first.
pub(super) fn of(before: &Host, now: &Host) -> Vec<Finding> {
    let mut findings = Vec::new();

    findings.extend(backlog(before, now));
    findings.extend(pinned(before, now));
    findings.extend(squeezed(before, now));
    findings.extend(overlay_queues(before, now));
    findings.extend(rings(before, now));
    findings.extend(checksums(before, now));
    findings.extend(fragments(before, now));
    findings.extend(buffers(before, now));
    findings.extend(spread(now));
    findings.extend(merged(before, now));
    findings.extend(unseen(now));
    findings.sort_by_key(|finding| finding.severity);
    if !now.is_loaded {
        findings.iter_mut().for_each(load_first);
    }
    findings
}

/// Has the module loaded before it is told something.
fn load_first(finding: &mut Finding) {
    let is_ours = |command: &String| command.starts_with("prismctl ");

    if finding.commands.iter().any(is_ours) {
        finding.commands.insert(0, "modprobe prism".to_owned());
    }
}

/// What a shell takes for that name.
fn word(name: &str) -> Cow<'_, str> {
    // No name has a NUL in it.
    shlex::try_quote(name).unwrap_or(Cow::Borrowed("NAME"))
}

/// When a count moved, and by how much; `None` where it is zero.
fn moved(before: u64, now: u64) -> Option<(Severity, u64)> {
    match now.saturating_sub(before) {
        0 if now == 0 => None,
        0 => Some((Severity::Earlier, now)),
        more => Some((Severity::Now, more)),
    }
}

/// The sum of a count over CPUs, and the CPU that has most of it.
fn over_cpus(
    before: &Host,
    now: &Host,
    count: impl Fn(&Cpu) -> u64,
) -> Option<(Severity, u64, u32)> {
    // A CPU that comes online has its past, and one that has gone takes it away.
    let counts: Vec<(u32, u64, u64)> = now
        .cpus
        .iter()
        .filter_map(|(number, cpu)| Some((*number, count(before.cpus.get(number)?), count(cpu))))
        .collect();
    let sum = |at: fn(&(u32, u64, u64)) -> u64| counts.iter().map(at).sum();
    let (severity, packets) = moved(sum(|it| it.1), sum(|it| it.2))?;
    let (most, ..) = counts
        .iter()
        .max_by_key(|(_, before, now)| (now.saturating_sub(*before), *now))?;

    Some((severity, packets, *most))
}

/// `net.core.netdev_max_backlog` of a kernel that nobody has told otherwise, in packets.
const BACKLOG: u64 = 1000;

/// The largest that is advised: what waits there longer is late.
const BACKLOG_MAX: u64 = 64_000;

/// What helps where a queue of the kernel's is full: to pass it, or to make it larger as long as it is.
fn pass_or_enlarge(now: &Host, severity: Severity) -> Vec<String> {
    let larger = now.max_backlog.saturating_mul(4).max(BACKLOG);
    let pass = (!now.has_mode).then(|| "prismctl mode sync".to_owned());
    let enlarge = (severity == Severity::Now && larger <= BACKLOG_MAX)
        .then(|| format!("sysctl -w net.core.netdev_max_backlog={larger}"));

    pass.into_iter().chain(enlarge).collect()
}

/// What keeps class high from waiting for the rest, unless it is so already.
fn isolate(now: &Host) -> Option<String> {
    (!now.isolates).then(|| "prismctl isolate on".to_owned())
}

fn backlog(before: &Host, now: &Host) -> Option<Finding> {
    let (severity, packets, cpu) = over_cpus(before, now, |cpu| cpu.dropped)?;

    Some(Finding {
        severity,
        what: format!(
            "{packets} packets were dropped in front of containers, most on CPU {cpu}: its backlog takes \
             net.core.netdev_max_backlog={} packets. Packets of class high do not pass it in mode sync; others \
             wait for a larger one to fill.",
            now.max_backlog
        ),
        commands: pass_or_enlarge(now, severity),
    })
}

/// Of a CPU's time between two looks, how many per cent were in softirq.
fn in_softirq(before: &Host, number: u32, cpu: &Cpu) -> Option<u64> {
    let earlier = before.cpus.get(&number)?;
    let ticks = cpu
        .ticks
        .checked_sub(earlier.ticks)
        .filter(|ticks| *ticks != 0)?;

    Some(cpu.softirq.saturating_sub(earlier.softirq) * 100 / ticks)
}

fn pinned(before: &Host, now: &Host) -> Option<Finding> {
    let share = |(number, cpu): (&u32, &Cpu)| Some((in_softirq(before, *number, cpu)?, *number));
    let mut shares: Vec<(u64, u32)> = now.cpus.iter().filter_map(share).collect();

    shares.sort_unstable();
    let (least, idle) = *shares.first()?;
    let (most, busy) = *shares.last()?;
    if most < PINNED || least > IDLE {
        return None;
    }

    let receives = |name: &String, device: &Device| {
        let earlier = before.devices.get(name);

        earlier.is_some_and(|earlier| earlier.rx_packets < device.rx_packets)
    };
    let narrow = now.devices.iter().filter(|(name, device)| {
        device.is_hardware && device.rx_queues < now.cpus.len() && receives(name, device)
    });
    let mut commands: Vec<String> = narrow
        .map(|(name, _)| format!("ethtool -L {} combined {}", word(name), now.cpus.len()))
        .collect();
    commands.extend(isolate(now));
    Some(Finding {
        severity: Severity::Now,
        what: format!(
            "CPU {busy} spends {most} % of its time in softirq, and CPU {idle} {least} %: what is received comes to \
             one CPU. Where the NIC has more queues, they spread flows; isolation keeps class high from waiting for \
             the rest."
        ),
        commands,
    })
}

fn squeezed(before: &Host, now: &Host) -> Option<Finding> {
    let (severity, times, cpu) = over_cpus(before, now, |cpu| cpu.squeezed)?;

    // It happens at boot, and that nobody minds.
    (severity == Severity::Now).then(|| Finding {
        severity,
        what: format!(
            "The kernel ended a softirq {times} times before all was received, most on CPU {cpu}: there is more \
             traffic than time for it, and what is left waits for ksoftirqd."
        ),
        commands: isolate(now).into_iter().collect(),
    })
}

/// A device of an overlay, in this network namespace or in the one of that file.
struct Overlay<'a> {
    name: &'a str,
    namespace: Option<&'a str>,
    before: Option<&'a Device>,
    now: &'a Device,
}

impl Overlay<'_> {
    /// Which one it is, in words.
    fn shown(&self) -> String {
        match self.namespace {
            Some(file) => format!("{} of {}", self.name, visible(file)),
            None => self.name.to_owned(),
        }
    }

    /// The command that does `what` to it.
    fn command(&self, what: &str) -> String {
        let net = self
            .namespace
            .map(|file| format!("nsenter --net={} ", word(file)));

        format!("{}{what}", net.unwrap_or_default())
    }
}

/// The devices of overlays, wherever they are.
fn overlays<'a>(before: &'a Host, now: &'a Host) -> impl Iterator<Item = Overlay<'a>> {
    let here = now.devices.iter().map(|(name, device)| Overlay {
        name,
        namespace: None,
        before: before.devices.get(name),
        now: device,
    });
    let elsewhere = now.elsewhere.iter().map(|(key, device)| Overlay {
        name: &key.1,
        namespace: Some(&key.0),
        before: before.elsewhere.get(key),
        now: device,
    });

    here.chain(elsewhere)
        .filter(|overlay| matches!(overlay.now.kind.as_deref(), Some("vxlan" | "geneve")))
}

fn overlay_queues(before: &Host, now: &Host) -> Vec<Finding> {
    let finding = |overlay: Overlay<'_>| {
        let (severity, packets) = moved(overlay.before?.rx_dropped, overlay.now.rx_dropped)?;

        Some(Finding {
            severity,
            what: format!(
                "{packets} packets were dropped by the overlay's device {}: its queue (gro_cells) was full, or they \
                 were for nobody. Packets of class high do not pass the queue in mode sync.",
                overlay.shown()
            ),
            commands: pass_or_enlarge(now, severity),
        })
    };

    overlays(before, now).filter_map(finding).collect()
}

fn rings(before: &Host, now: &Host) -> Vec<Finding> {
    let finding = |(name, device): (&String, &Device)| {
        let earlier = before.devices.get(name)?;
        let (severity, packets) =
            moved(earlier.rx_missed, device.rx_missed).filter(|_| device.is_hardware)?;

        Some(Finding {
            severity,
            what: format!(
                "{packets} packets were lost in the ring of {name}: the CPU did not look at it in time. With isolation \
                 the ring is emptied between any two turns. A larger one holds more, where ethtool -g says that it may \
                 be larger."
            ),
            commands: isolate(now)
                .into_iter()
                .chain([format!("ethtool -G {} rx 4096", word(name))])
                .collect(),
        })
    };

    now.devices.iter().filter_map(finding).collect()
}

/// The counts of network namespaces that moved, each with a process that is there.
fn over_networks(
    before: &Host,
    now: &Host,
    count: impl Fn(&Network) -> u64,
) -> Vec<(Severity, u64, String)> {
    let counts = |(id, network): (&String, &Network)| {
        let earlier = before
            .networks
            .get(id)
            .map_or_else(|| count(network), &count);
        let (severity, packets) = moved(earlier, count(network))?;

        Some((severity, packets, network.process.clone()))
    };

    now.networks.iter().filter_map(counts).collect()
}

fn checksums(before: &Host, now: &Host) -> Vec<Finding> {
    let mut commands: Vec<String> = overlays(before, now)
        .map(|overlay| {
            let turn_off = format!(
                "ethtool -K {} tx-checksum-ip-generic off",
                word(overlay.name)
            );

            overlay.command(&turn_off)
        })
        .collect();
    if commands.is_empty() {
        commands.push("ethtool -K DEVICE tx-checksum-ip-generic off".to_owned());
    }

    over_networks(before, now, |network| network.checksum_errors)
        .into_iter()
        .map(|(severity, packets, process)| Finding {
            severity,
            what: format!(
                "{packets} packets with a wrong checksum were dropped in the network of process {process}. If they came \
                 through an overlay, the sender's NIC may compute checksums inside tunnels wrongly; there, have them \
                 computed before:"
            ),
            commands: commands.clone(),
        })
        .collect()
}

fn fragments(before: &Host, now: &Host) -> Vec<Finding> {
    over_networks(before, now, |network| network.fragments)
        .into_iter()
        .filter(|(severity, ..)| *severity == Severity::Now)
        .map(|(severity, packets, process)| Finding {
            severity,
            what: format!(
                "{packets} fragments were received in the network of process {process}: an MTU is too large for what is \
                 below it. Fragments are not looked up. An overlay over IPv4 takes 50 bytes, one over IPv6 70."
            ),
            commands: vec!["ip link set DEVICE mtu 1450".to_owned()],
        })
        .collect()
}

/// What is advised for sockets that overflow, in bytes.
const RECEIVE_BUFFER: u64 = 4 << 20;

fn buffers(before: &Host, now: &Host) -> Vec<Finding> {
    let slice = (!now.has_slice).then(|| "prismctl set receiver_slice_us=100".to_owned());
    let enlarge = (now.receive_buffer < RECEIVE_BUFFER)
        .then(|| format!("sysctl -w net.core.rmem_default={RECEIVE_BUFFER}"));
    let commands: Vec<String> = slice.into_iter().chain(enlarge).collect();

    over_networks(before, now, |network| network.buffer_errors)
        .into_iter()
        .filter(|(severity, ..)| *severity == Severity::Now)
        .map(|(severity, packets, process)| Finding {
            severity,
            what: format!(
                "{packets} datagrams were dropped at sockets in the network of process {process}: who should read them does \
                 not get to it. A shorter time slice has receivers of class high run sooner."
            ),
            commands: commands.clone(),
        })
        .collect()
}

fn spread(now: &Host) -> Vec<Finding> {
    let finding = |(name, device): (&String, &Device)| {
        (!device.rps_queues.is_empty()).then(|| Finding {
            severity: Severity::Setting,
            what: format!(
                "RPS is on for {name}: packets wait in another CPU's backlog once more, and none takes the short way of \
                 mode express. Where the NIC has as many queues as there are CPUs, it is not needed."
            ),
            commands: device
                .rps_queues
                .iter()
                .map(|queue| format!("echo 0 >{}/rps_cpus", word(queue)))
                .collect(),
        })
    };

    now.devices.iter().filter_map(finding).collect()
}

fn merged(before: &Host, now: &Host) -> Option<Finding> {
    let count = |host: &Host| host.module.get("unclassified_merged").copied().unwrap_or(0);
    let (severity, packets) = moved(count(before), count(now))?;
    let nics = now.devices.iter().filter(|(_, device)| device.is_hardware);

    Some(Finding {
        severity,
        what: format!(
            "{packets} packets came merged from hardware or from a virtual NIC's other side and were not looked up: \
             they go the kernel's way."
        ),
        commands: nics
            .map(|(name, _)| format!("ethtool -K {} lro off rx-gro-hw off", word(name)))
            .collect(),
    })
}

/// What may be wrong and is not known.
fn unseen(now: &Host) -> Vec<Finding> {
    let processes = (now.hidden != 0).then(|| Finding {
        severity: Severity::Unseen,
        what: format!(
            "The networks of {} processes were not looked at: only root may.",
            now.hidden
        ),
        commands: vec!["sudo prismctl doctor".to_owned()],
    });
    let namespaces = now.closed.iter().map(|file| Finding {
        severity: Severity::Unseen,
        what: format!(
            "The network namespace {} was not looked into: only root may, and nsenter (util-linux) and ip (iproute2) \
             have to be there.",
            visible(file)
        ),
        commands: Vec::new(),
    });

    processes.into_iter().chain(namespaces).collect()
}

#[cfg(test)]
mod tests;
