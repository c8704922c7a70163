// SPDX-License-Identifier: GPL-2.0

use serde_json::{
    json,
    Value, //
};

use super::*;

fn network(told: Value) -> Network {
    Network::new(serde_json::from_value(told).unwrap())
}

fn overlay(options: Value, subnets: &[&str]) -> Network {
    let config: Vec<Value> = subnets
        .iter()
        .map(|subnet| json!({ "Subnet": subnet }))
        .collect();

    network(json!({ "Driver": "overlay", "IPAM": { "Config": config }, "Options": options }))
}

fn endpoint(v4: &str, v6: &str) -> Endpoint {
    Endpoint {
        network: "n".to_owned(),
        name: "n".to_owned(),
        v4: address(Some(v4.to_owned())),
        v6: address(Some(v6.to_owned())),
    }
}

fn vni(network: &Network, v4: &str, v6: &str) -> Option<u32> {
    network.vni(&endpoint(v4, v6)).map(|vni| vni.get())
}

#[test]
fn a_network_has_a_vni() {
    let one = overlay(json!({ VNIS: "4097" }), &["10.0.1.0/24"]);

    assert_eq!(vni(&one, "10.0.1.5", ""), Some(4097));
    assert_eq!(vni(&one, "", "fd00::5"), Some(4097));
    // The engine may leave the subnet out.
    assert_eq!(
        vni(&overlay(json!({ VNIS: "4097" }), &[]), "10.0.1.5", ""),
        Some(4097)
    );
}

#[test]
fn each_subnet_has_a_vni() {
    let three = overlay(
        json!({ VNIS: "4097,4098,4099" }),
        &["10.0.1.0/24", "fd00::/64", "10.0.2.0/23", "10.0.4.0/30"],
    );

    assert_eq!(vni(&three, "10.0.1.255", ""), Some(4097));
    assert_eq!(vni(&three, "10.0.3.1", "fd00::5"), Some(4098));
    assert_eq!(vni(&three, "10.0.4.3", ""), Some(4099));
    assert_eq!(vni(&three, "10.0.4.4", ""), None);
    assert_eq!(vni(&three, "", "fd00::5"), None);
}

#[test]
fn a_vni_that_is_none_is_left_out() {
    for list in ["", "x", "16777216", "-1"] {
        let network = overlay(json!({ VNIS: list }), &["10.0.1.0/24"]);

        assert_eq!(vni(&network, "10.0.1.5", ""), None, "{list}");
    }
}

#[test]
fn networks_are_told_apart() {
    assert_eq!(
        overlay(json!({ VNIS: "4097", "encrypted": "" }), &["10.0.1.0/24"]),
        Network::Encrypted
    );
    assert_eq!(
        network(json!({ "Driver": "bridge", "Options": {
            "com.docker.network.bridge.gateway_mode_ipv6": "routed",
            "com.docker.network.bridge.gateway_mode_ipv4": "nat",
        }})),
        Network::Bridge {
            is_routed_v4: false,
            is_routed_v6: true
        }
    );
    assert_eq!(
        network(json!({ "Driver": "macvlan", "Options": null })),
        Network::Other("macvlan".to_owned())
    );
}

fn inspected(state: &Value, mode: &str, ports: &Value) -> Option<Container> {
    let told = json!({
        "Id": "c0ffee", "Name": "/web", "State": state,
        "HostConfig": { "NetworkMode": mode }, "Config": { "Labels": { "a": "b" } },
        "NetworkSettings": {
            "Ports": ports,
            "Networks": {
                "two": { "NetworkID": "n2", "IPAddress": "10.0.2.5", "GlobalIPv6Address": "fd00::5" },
                "one": { "NetworkID": "n1", "IPAddress": "", "GlobalIPv6Address": "" },
                "soon": { "NetworkID": "", "IPAddress": "", "GlobalIPv6Address": "" },
            },
        },
    });

    Container::new(serde_json::from_value(told).unwrap()).unwrap()
}

#[test]
fn a_container_is_understood() {
    let container = inspected(&json!({ "Running": true }), "back", &json!({})).unwrap();

    assert_eq!(container.name, "web");
    assert_eq!(container.labels["a"], "b");
    assert_eq!(container.namespace, Namespace::Own);
    let endpoints: Vec<(&str, usize)> = container
        .endpoints
        .iter()
        .map(|endpoint| (endpoint.name.as_str(), endpoint.addresses().count()))
        .collect();
    assert_eq!(endpoints, [("one", 0), ("two", 2)]);
}

#[test]
fn what_does_not_run_is_left_out() {
    for (state, runs) in [
        (json!({ "Running": false }), false),
        (json!({ "Running": true, "Restarting": true }), false),
        (
            json!({ "Running": true, "Restarting": false, "Paused": true }),
            true,
        ),
    ] {
        assert_eq!(inspected(&state, "back", &json!({})).is_some(), runs);
    }
}

#[test]
fn what_is_not_told_is_not_taken_for_something() {
    for (told, lacks) in [
        (json!({ "Id": "c0ffee" }), "State.Running"),
        (json!({ "Id": "c0ffee", "State": {} }), "State.Running"),
        (json!({ "State": { "Running": true } }), "Id"),
    ] {
        let told = serde_json::from_value(told).unwrap();

        assert_eq!(Container::new(told), Err(lacks));
    }
}

#[test]
fn namespaces_are_told_apart() {
    for (mode, namespace) in [
        ("default", Namespace::Own),
        ("hostile", Namespace::Own),
        ("host", Namespace::Host),
        ("none", Namespace::Empty),
        ("container:0123", Namespace::Shared),
    ] {
        let container = inspected(&json!({ "Running": true }), mode, &json!({})).unwrap();

        assert_eq!(container.namespace, namespace, "{mode}");
    }
}

#[test]
fn published_ports_are_the_hosts() {
    let container = inspected(
        &json!({ "Running": true }),
        "bridge",
        &json!({
            "80/tcp": [
                { "HostIp": "0.0.0.0", "HostPort": "8080" },
                { "HostIp": "::", "HostPort": "8080" },
            ],
            "53/udp": [{ "HostIp": "192.0.2.1", "HostPort": "53" }],
            "54/udp": [{ "HostIp": "", "HostPort": "54" }],
            "90/tcp": [{ "HostIp": "127.0.0.1", "HostPort": "90" }, { "HostIp": "::1", "HostPort": "90" }],
            "91/tcp": null,
            "92/tcp": [{ "HostIp": "0.0.0.0", "HostPort": "" }],
            "93/dccp": [{ "HostIp": "0.0.0.0", "HostPort": "93" }],
        }),
    )
    .unwrap();
    let mut shown: Vec<String> = container
        .published
        .iter()
        .map(|of| {
            format!(
                "{} {} {} {}",
                of.port, of.protocol.0, of.destination, of.host_port
            )
        })
        .collect();

    shown.sort();
    assert_eq!(
        shown,
        [
            "53 17 192.0.2.1/32 53",
            "54 17 any 54",
            "80 6 0.0.0.0/0 8080",
            "80 6 ::/0 8080",
        ]
    );
}
