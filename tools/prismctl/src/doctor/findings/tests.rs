// SPDX-License-Identifier: GPL-2.0

use std::collections::BTreeMap;

use super::*;

/// What identifies the host's network.
const NET: &str = "net:[4026531840]";

/// Two CPUs, a NIC, an overlay, the host's network, the module, and nothing wrong.
fn host() -> Host {
    let network = Network {
        process: "1 (init)".to_owned(),
        ..Network::default()
    };
    let device = |kind: Option<&str>| Device {
        kind: kind.map(str::to_owned),
        is_hardware: kind.is_none(),
        rx_queues: 1,
        ..Device::default()
    };
    let cpu = Cpu {
        ticks: 1000,
        ..Cpu::default()
    };

    Host {
        cpus: BTreeMap::from([(0, cpu), (1, cpu)]),
        max_backlog: 1000,
        devices: BTreeMap::from([
            ("eth0".to_owned(), device(None)),
            ("vx0".to_owned(), device(Some("vxlan"))),
        ]),
        receive_buffer: 212_992,
        networks: BTreeMap::from([(NET.to_owned(), network)]),
        is_loaded: true,
        ..Host::default()
    }
}

/// What is found where `f` happened to a host since the first look, and what is where it happened
/// before.
fn found(f: impl Fn(&mut Host)) -> (Vec<Finding>, Vec<Finding>) {
    let (before, mut now) = (host(), host());

    f(&mut now);
    (of(&before, &now), of(&now, &now))
}

fn only(findings: &[Finding]) -> &Finding {
    assert_eq!(findings.len(), 1, "{findings:?}");
    &findings[0]
}

#[test]
fn nothing_is_wrong_with_a_good_host() {
    assert_eq!(found(|_| ()), (vec![], vec![]));
}

#[test]
fn backlog_drops() {
    let (now, later) = found(|host| host.cpus.get_mut(&1).unwrap().dropped = 9);

    let finding = only(&now);
    assert_eq!(finding.severity, Severity::Now);
    assert!(finding
        .what
        .starts_with("9 packets were dropped in front of containers, most on CPU 1"));
    assert_eq!(
        finding.commands[1],
        "sysctl -w net.core.netdev_max_backlog=4000"
    );
    // What is over needs no larger queue.
    assert_eq!(only(&later).severity, Severity::Earlier);
    assert_eq!(only(&later).commands, ["prismctl mode sync"]);

    let (now, _) = found(|host| {
        host.cpus.get_mut(&1).unwrap().dropped = 9;
        host.max_backlog = 16;
    });
    assert_eq!(
        only(&now).commands[1],
        "sysctl -w net.core.netdev_max_backlog=1000"
    );
}

#[test]
fn what_is_so_already_is_not_advised() {
    let (now, _) = found(|host| {
        let cpu = host.cpus.get_mut(&1).unwrap();

        (cpu.dropped, cpu.squeezed) = (9, 1);
        host.max_backlog = 64_000;
        host.receive_buffer = 26_214_400;
        host.networks.get_mut(NET).unwrap().buffer_errors = 1;
        (host.has_mode, host.isolates, host.has_slice) = (true, true, true);
    });

    assert_eq!(now.len(), 3, "{now:?}");
    assert!(
        now.iter().all(|finding| finding.commands.is_empty()),
        "{now:?}"
    );
}

/// Another CPU is there, which has dropped packets before.
fn comes_online(host: &mut Host) {
    let cpu = Cpu {
        dropped: 9,
        ..host.cpus[&1]
    };

    host.cpus.insert(2, cpu);
}

#[test]
fn a_cpu_that_comes_online_has_its_past() {
    assert_eq!(found(comes_online).0, []);
}

#[test]
fn nor_is_it_where_most_was_dropped() {
    let (now, _) = found(|host| {
        host.cpus.get_mut(&0).unwrap().dropped = 5;
        comes_online(host);
    });

    assert!(only(&now)
        .what
        .starts_with("5 packets were dropped in front of containers, most on CPU 0"));
}

#[test]
fn a_cpu_that_is_pinned() {
    let busy = |share: u64, other: u64| {
        move |host: &mut Host| {
            // Another port, at which nothing is plugged in.
            let unused = host.devices["eth0"].clone();

            host.devices.insert("eth1".to_owned(), unused);
            host.devices.get_mut("eth0").unwrap().rx_packets = 9;
            for (cpu, softirq) in [(0, share), (1, other)] {
                let cpu = host.cpus.get_mut(&cpu).unwrap();

                cpu.ticks += 200;
                cpu.softirq += softirq * 2;
            }
        }
    };
    let (now, later) = found(busy(97, 3));
    let finding = only(&now);

    assert!(finding
        .what
        .starts_with("CPU 0 spends 97 % of its time in softirq, and CPU 1 3 %"));
    assert_eq!(
        finding.commands,
        ["ethtool -L eth0 combined 2", "prismctl isolate on"]
    );
    assert_eq!(later, []);
    // Where all are busy, or none, there is nothing to spread.
    assert_eq!(found(busy(97, 60)).0, []);
    assert_eq!(found(busy(60, 3)).0, []);
}

#[test]
fn what_is_squeezed_now() {
    let (now, later) = found(|host| host.cpus.get_mut(&0).unwrap().squeezed = 2);

    assert!(only(&now)
        .what
        .starts_with("The kernel ended a softirq 2 times"));
    assert_eq!(later, []);
}

#[test]
fn an_overlay_that_drops() {
    let (now, later) = found(|host| host.devices.get_mut("vx0").unwrap().rx_dropped = 5);

    assert!(only(&now).what.contains("overlay's device vx0"));
    assert_eq!(only(&later).severity, Severity::Earlier);
    // What a NIC drops is what nobody wants.
    assert_eq!(
        found(|host| host.devices.get_mut("eth0").unwrap().rx_dropped = 5).0,
        []
    );
}

#[test]
fn a_ring_that_overflows() {
    let (now, _) = found(|host| host.devices.get_mut("eth0").unwrap().rx_missed = 5);

    assert!(only(&now)
        .what
        .starts_with("5 packets were lost in the ring of eth0"));
}

#[test]
fn wrong_checksums() {
    let (now, later) = found(|host| host.networks.get_mut(NET).unwrap().checksum_errors = 4);

    assert!(only(&now).what.contains("network of process 1 (init)"));
    assert_eq!(
        only(&now).commands,
        ["ethtool -K vx0 tx-checksum-ip-generic off"]
    );
    assert_eq!(only(&later).severity, Severity::Earlier);
}

#[test]
fn fragments_and_full_sockets_now() {
    let (now, later) = found(|host| {
        let network = host.networks.get_mut(NET).unwrap();

        (network.fragments, network.buffer_errors) = (3, 2);
    });

    assert_eq!(now.len(), 2, "{now:?}");
    assert_eq!(later, []);
    assert_eq!(
        now[1].commands,
        [
            "prismctl set receiver_slice_us=100",
            "sysctl -w net.core.rmem_default=4194304"
        ]
    );
}

#[test]
fn it_is_a_network_s_count_that_moves_whoever_is_found_there() {
    let (now, _) = found(|host| {
        let network = host.networks.get_mut(NET).unwrap();

        network.buffer_errors = 2;
        network.process = "9 (sh)".to_owned();
    });

    assert_eq!(only(&now).severity, Severity::Now);
    assert!(only(&now).what.contains("network of process 9 (sh)"));
}

#[test]
fn a_network_that_is_new_has_its_past() {
    let (now, _) = found(|host| {
        let network = Network {
            checksum_errors: 1,
            ..Network::default()
        };

        host.networks.insert("net:[4026532000]".to_owned(), network);
    });

    assert_eq!(only(&now).severity, Severity::Earlier);
}

#[test]
fn rps() {
    let queue = "/sys/class/net/eth0/queues/rx-0";
    let (now, later) =
        found(|host| host.devices.get_mut("eth0").unwrap().rps_queues = vec![queue.to_owned()]);

    assert_eq!(only(&now).commands, [format!("echo 0 >{queue}/rps_cpus")]);
    assert_eq!(now, later);
}

/// An operator copies them into a shell, and whoever makes a device chooses its name.
#[test]
fn names_are_quoted_in_commands() {
    let (now, _) = found(|host| {
        let mut device = host.devices["eth0"].clone();

        device.rps_queues = vec!["/sys/class/net/$(x)/queues/rx-0".to_owned()];
        host.devices.insert("$(x)".to_owned(), device);
    });

    assert_eq!(
        only(&now).commands,
        ["echo 0 >'/sys/class/net/$(x)/queues/rx-0'/rps_cpus"]
    );
}

#[test]
fn what_comes_merged() {
    let (now, _) = found(|host| {
        host.module.insert("unclassified_merged".to_owned(), 8);
    });

    assert_eq!(
        only(&now).commands,
        ["ethtool -K eth0 lro off rx-gro-hw off"]
    );
}

#[test]
fn the_most_urgent_comes_first() {
    let (now, _) = found(|host| {
        host.hidden = 1;
        host.devices.get_mut("eth0").unwrap().rps_queues = vec!["q".to_owned()];
        host.cpus.get_mut(&0).unwrap().dropped = 1;
    });

    assert!(now.is_sorted_by_key(|finding| finding.severity));
    assert_eq!(now.len(), 3);
    assert_eq!(now[2].severity, Severity::Unseen);
}

#[test]
fn the_module_is_loaded_before_it_is_told_something() {
    let (now, _) = found(|host| {
        host.is_loaded = false;
        host.cpus.get_mut(&0).unwrap().squeezed = 2;
        host.devices.get_mut("eth0").unwrap().rps_queues = vec!["q".to_owned()];
        host.hidden = 1;
    });

    assert_eq!(now[0].commands, ["modprobe prism", "prismctl isolate on"]);
    assert_eq!(now[1].commands, ["echo 0 >q/rps_cpus"]);
    assert_eq!(now[2].commands, ["sudo prismctl doctor"]);
}

#[test]
fn what_was_not_looked_at_is_told() {
    let (now, later) = found(|host| host.hidden = 123);

    assert_eq!(
        only(&now).what,
        "The networks of 123 processes were not looked at: only root may."
    );
    assert_eq!(only(&now).commands, ["sudo prismctl doctor"]);
    assert_eq!(now, later);

    let (now, _) = found(|host| host.closed = vec!["/run/netns/a\u{1b}".to_owned()]);
    assert!(only(&now).what.starts_with(
        r"The network namespace /run/netns/a\u{1b} was not looked into: only root may"
    ));
    assert_eq!(
        serde_json::to_value(only(&now)).unwrap()["severity"],
        "unseen"
    );
}

#[test]
fn an_overlay_of_another_namespace() {
    let mut before = host();
    let key = ("/run/docker/netns/1-abc".to_owned(), "vxlan0".to_owned());
    before
        .elsewhere
        .insert(key.clone(), before.devices["vx0"].clone());
    let mut after = before.clone();
    after.elsewhere.get_mut(&key).unwrap().rx_dropped = 5;
    let finding = only(&of(&before, &after)).clone();
    assert!(finding.what.starts_with(
        "5 packets were dropped by the overlay's device vxlan0 of /run/docker/netns/1-abc: "
    ));
    after.elsewhere.get_mut(&key).unwrap().rx_dropped = 0;
    after.networks.get_mut(NET).unwrap().checksum_errors = 1;
    assert_eq!(
        only(&of(&before, &after)).commands,
        [
            "ethtool -K vx0 tx-checksum-ip-generic off",
            "nsenter --net=/run/docker/netns/1-abc ethtool -K vxlan0 tx-checksum-ip-generic off",
        ]
    );
}
