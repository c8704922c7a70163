// SPDX-License-Identifier: GPL-2.0

use std::collections::HashMap;

use prism_config::{
    classify::Vni,
    Named, //
};

use super::*;

fn asked(ports: &str) -> Asked {
    let mut labels = HashMap::from([("io.prism.class".to_owned(), "high".to_owned())]);

    if !ports.is_empty() {
        labels.insert("io.prism.ports".to_owned(), ports.to_owned());
    }
    Asked::new(&labels).unwrap().unwrap()
}

fn container() -> Container {
    Container {
        id: "0123456789abcdef".to_owned(),
        name: "web".to_owned(),
        labels: HashMap::new(),
        namespace: Namespace::Own,
        endpoints: vec![Endpoint {
            network: "n0000000000000".to_owned(),
            name: "back".to_owned(),
            v4: "10.0.1.5".parse().ok(),
            v6: None,
        }],
        published: Vec::new(),
    }
}

fn overlay(vni: u32, is_ingress: bool) -> Network {
    Network::Overlay {
        vnis: Vni::new(vni).into_iter().map(|vni| (None, vni)).collect(),
        is_ingress,
    }
}

const BRIDGE: Network = Network::Bridge {
    is_routed_v4: false,
    is_routed_v6: false,
};

/// Rules, and then what lacks them, in words.
fn shown(container: &Container, asked: &Asked, network: &Network) -> Vec<String> {
    let desired = Desired::new(container, asked, |_| Some(network));
    let rules = desired.rules.iter();
    let lacking = desired.lacking.iter();

    for (name, wanted) in &desired.rules {
        wanted.rule.flows.validate().unwrap();
        assert!(crate::own::is_likely(&wanted.rule));
        assert_eq!(crate::own::container_of(name), Some("0123456789ab"));
    }
    rules
        .map(|(name, wanted)| Named(name, &wanted.rule).to_string())
        .chain(lacking.map(|of| format!("{}: {}", of.network, of.reason.word())))
        .collect()
}

fn published(protocol: u8, port: u16, host_port: u16, destination: &str) -> Published {
    Published {
        protocol: prism_config::classify::Protocol(protocol),
        port,
        host_port,
        destination: destination.parse().unwrap(),
    }
}

#[test]
fn an_overlay_address_has_a_rule() {
    assert_eq!(
        shown(&container(), &asked(""), &overlay(4097, false)),
        ["docker:0123456789ab:n00000000000:0 vni=4097 destination=10.0.1.5/32 class=high"]
    );
}

#[test]
fn each_address_and_range_has_a_rule() {
    let mut container = container();

    container.endpoints[0].v6 = "fd00::5".parse().ok();
    assert_eq!(
        shown(&container, &asked("80/tcp,53/udp"), &overlay(4097, false)),
        [
            "docker:0123456789ab:n00000000000:0 vni=4097 protocol=tcp destination=10.0.1.5/32 destination_port=80 class=high",
            "docker:0123456789ab:n00000000000:1 vni=4097 protocol=udp destination=10.0.1.5/32 destination_port=53 class=high",
            "docker:0123456789ab:n00000000000:2 vni=4097 protocol=tcp destination=fd00::5/128 destination_port=80 class=high",
            "docker:0123456789ab:n00000000000:3 vni=4097 protocol=udp destination=fd00::5/128 destination_port=53 class=high",
        ]
    );
}

#[test]
fn labels_are_in_each_rule() {
    let labels = HashMap::from(
        [
            ("io.prism.class", "bulk"),
            ("io.prism.rate", "900"),
            ("io.prism.dscp", "ef"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    let asked = Asked::new(&labels).unwrap().unwrap();

    assert_eq!(
        shown(&container(), &asked, &overlay(4097, false)),
        ["docker:0123456789ab:n00000000000:0 vni=4097 destination=10.0.1.5/32 dscp=46 class=bulk rate=900"]
    );
}

#[test]
fn ports_are_others_in_swarms_ingress() {
    assert_eq!(
        shown(&container(), &asked("80/tcp,90/tcp,53/udp"), &overlay(4098, true)),
        [
            "docker:0123456789ab:n00000000000:0 vni=4098 protocol=tcp destination=10.0.1.5/32 class=high",
            "docker:0123456789ab:n00000000000:1 vni=4098 protocol=udp destination=10.0.1.5/32 class=high",
        ]
    );
}

#[test]
fn published_ports_have_rules() {
    let mut container = container();

    container.published = vec![
        published(6, 80, 8081, "0.0.0.0/0"),
        published(6, 79, 8080, "0.0.0.0/0"),
        published(6, 80, 8081, "::/0"),
        published(17, 53, 53, "192.0.2.1"),
    ];
    assert_eq!(
        shown(&container, &asked(""), &BRIDGE),
        [
            "docker:0123456789ab:ports:0 vni=none protocol=tcp destination=0.0.0.0/0 destination_port=8080-8081 class=high",
            "docker:0123456789ab:ports:1 vni=none protocol=udp destination=192.0.2.1/32 destination_port=53 class=high",
            "docker:0123456789ab:ports:2 vni=none protocol=tcp destination=::/0 destination_port=8081 class=high",
        ]
    );
    // By the container's port, not by the host's.
    assert_eq!(
        shown(&container, &asked("53/udp"), &BRIDGE),
        ["docker:0123456789ab:ports:0 vni=none protocol=udp destination=192.0.2.1/32 destination_port=53 class=high"]
    );
    assert_eq!(
        shown(&container, &asked("8081/tcp"), &BRIDGE),
        [": unpublished"]
    );
}

#[test]
fn a_routed_bridge_has_its_containers_addresses() {
    let mut container = container();
    let routed = Network::Bridge {
        is_routed_v4: false,
        is_routed_v6: true,
    };

    container.endpoints[0].v6 = "fd00::5".parse().ok();
    assert_eq!(
        shown(&container, &asked("80/tcp"), &routed),
        ["docker:0123456789ab:n00000000000:0 vni=none protocol=tcp destination=fd00::5/128 destination_port=80 class=high"]
    );
}

#[test]
fn what_lacks_rules_is_told() {
    let driver = Network::Other("macvlan".to_owned());

    for (network, told) in [
        (&Network::Encrypted, "back: encrypted"),
        (&driver, "back: driver"),
        (&overlay(1 << 24, false), "back: no_vni"),
        (&BRIDGE, ": unpublished"),
    ] {
        assert_eq!(shown(&container(), &asked(""), network), [told]);
    }
    for (namespace, told) in [
        (Namespace::Host, ": host"),
        (Namespace::Empty, ": none"),
        (Namespace::Shared, ": shared"),
    ] {
        let container = Container {
            namespace,
            published: vec![published(6, 80, 80, "any")],
            ..container()
        };

        assert_eq!(shown(&container, &asked(""), &overlay(4097, false)), [told]);
    }
}

#[test]
fn a_network_that_went_is_left_out() {
    let desired = Desired::new(&container(), &asked(""), |_| None);

    assert!(desired.rules.is_empty());
}
