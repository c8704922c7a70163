// SPDX-License-Identifier: GPL-2.0

//! The packet parser: at its boundaries, and against a second parser on arbitrary packets.

mod common;

use std::cell::RefCell;

use common::{
    build::*,
    cases,
    oracle, //
};
use prism_host::classify::{
    parse,
    Family,
    Flow,
    Protocol,
    Transport,
    Unclassified,
    Vni,
    WINDOW, //
};
use proptest::{
    prelude::*,
    sample::Index, //
};

fn whole(v6: bool, packet: &[u8]) -> Result<Flow, Unclassified> {
    oracle::check(v6, packet, packet.len())
}

/// Asserts that each packet, which is IPv4, is unclassified for the reason that stands beside it.
fn assert_reasons(cases: &[(&str, Vec<u8>, Unclassified)]) {
    for (name, packet, reason) in cases {
        assert_eq!(whole(false, packet), Err(*reason), "{name}");
    }
}

/// `packet` with the bytes at `at` replaced.
fn with(mut packet: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    packet[at..at + bytes.len()].copy_from_slice(bytes);
    packet
}

#[test]
fn fields_of_a_flow_to_the_host() {
    let flow = whole(false, &ipv4(UDP, &udp(5555, 11_211, &[]))).unwrap();

    assert_eq!(flow.vni(), None);
    assert_eq!(flow.family(), Family::V4);
    assert_eq!(flow.source().to_string(), "10.1.2.3");
    assert_eq!(flow.destination().to_string(), "10.4.5.6");
    assert_eq!(flow.dscp(), 46);
    assert_eq!(
        flow.transport(),
        Transport {
            protocol: Protocol::UDP,
            source_port: 5555,
            destination_port: 11_211,
        }
    );
}

#[test]
fn fields_of_a_flow_in_a_tunnel() {
    let inner = ipv6(TCP, &tcp(1, 65_535, &[]));
    let flow = whole(false, &overlay_v4(&ethernet(&[C_TAG, IPV6], &inner))).unwrap();

    assert_eq!(flow.vni(), Vni::new(42));
    assert_eq!(flow.family(), Family::V6);
    assert_eq!(flow.dscp(), 34);
    assert_eq!(
        flow.source().to_string(),
        "fd00:102:304:506:708:90a:b0c:d0e"
    );
    assert_eq!(flow.transport().source_port, 1);
    assert_eq!(flow.transport().destination_port, 65_535);
}

#[test]
fn each_kind_of_packet_is_classified() {
    for (name, v6, packet) in good_packets() {
        assert!(whole(v6, &packet).is_ok(), "{name}");
    }
}

#[test]
fn protocols_without_ports_have_zero() {
    for protocol in [1, 47, 50, 58] {
        let transport = whole(false, &ipv4(protocol, &[0xff; 8]))
            .unwrap()
            .transport();
        assert_eq!((transport.source_port, transport.destination_port), (0, 0));
        assert_eq!(transport.protocol, Protocol(protocol));
    }
}

#[test]
fn ipv4_headers() {
    let good = || ipv4(UDP, &udp(1, 2, &[0; 8]));

    assert_reasons(&[
        ("version", with(good(), 0, &[0x65]), Unclassified::NotIp),
        ("IHL 4", with(good(), 0, &[0x44]), Unclassified::BadLength),
        ("IHL 0", with(good(), 0, &[0x40]), Unclassified::BadLength),
        ("IHL 6", with(good(), 0, &[0x46]), Unclassified::Options),
        ("IHL 15", with(good(), 0, &[0x4f]), Unclassified::Options),
        ("total 0", with(good(), 2, &[0, 0]), Unclassified::BadLength),
        (
            "total 19",
            with(good(), 2, &[0, 19]),
            Unclassified::BadLength,
        ),
        (
            "total 20",
            with(good(), 2, &[0, 20]),
            Unclassified::Truncated,
        ),
        (
            "total + 1",
            with(good(), 2, &[0, 37]),
            Unclassified::BadLength,
        ),
        (
            "total max",
            with(good(), 2, &[255, 255]),
            Unclassified::BadLength,
        ),
        ("MF", with(good(), 6, &[0x20, 0]), Unclassified::Fragment),
        ("offset 1", with(good(), 6, &[0, 1]), Unclassified::Fragment),
        (
            "offset max",
            with(good(), 6, &[0x1f, 0xff]),
            Unclassified::Fragment,
        ),
        (
            "reserved flag",
            with(good(), 6, &[0x80, 0]),
            Unclassified::Fragment,
        ),
    ]);
    assert!(whole(false, &with(good(), 6, &[0, 0])).is_ok());
}

#[test]
fn ipv6_headers() {
    let good = || ipv6(TCP, &tcp(1, 2, &[0; 8]));

    for (name, packet, reason) in [
        ("version", with(good(), 0, &[0x48]), Unclassified::NotIp),
        (
            "payload + 1",
            with(good(), 4, &[0, 29]),
            Unclassified::BadLength,
        ),
        (
            "payload 0",
            with(good(), 4, &[0, 0]),
            Unclassified::Truncated,
        ),
        ("fragment", with(good(), 6, &[44]), Unclassified::Fragment),
    ] {
        assert_eq!(whole(true, &packet), Err(reason), "{name}");
    }
    for header in [0, 43, 51, 59, 60, 135, 139, 140, 253, 254] {
        let packet = ipv6(header, &[TCP, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(whole(true, &packet), Err(Unclassified::Extension));
    }
}

#[test]
fn the_family_must_be_that_of_the_packet() {
    let v4 = ipv4(TCP, &tcp(1, 2, &[0; 40]));
    let v6 = ipv6(TCP, &tcp(1, 2, &[0; 40]));

    assert_eq!(whole(true, &v4), Err(Unclassified::NotIp));
    assert_eq!(whole(false, &v6), Err(Unclassified::NotIp));
    assert_reasons(&[(
        "EtherType",
        overlay_v4(&ethernet(&[IPV4], &v6)),
        Unclassified::NotIp,
    )]);
}

#[test]
fn udp_headers() {
    let good = || ipv4(UDP, &udp(1, 2, &[0; 8]));

    assert_reasons(&[
        (
            "length 0",
            with(good(), 24, &[0, 0]),
            Unclassified::BadLength,
        ),
        (
            "length 7",
            with(good(), 24, &[0, 7]),
            Unclassified::BadLength,
        ),
        ("less", with(good(), 24, &[0, 15]), Unclassified::BadLength),
        ("more", with(good(), 24, &[0, 17]), Unclassified::BadLength),
        (
            "source 0",
            with(good(), 20, &[0, 0]),
            Unclassified::ZeroPort,
        ),
        (
            "destination 0",
            with(good(), 22, &[0, 0]),
            Unclassified::ZeroPort,
        ),
        ("no header", ipv4(UDP, &[0; 7]), Unclassified::Truncated),
    ]);
}

#[test]
fn tcp_and_sctp_headers() {
    let good = || ipv4(TCP, &tcp(1, 2, &[0; 8]));

    assert_reasons(&[
        (
            "offset 0",
            with(good(), 32, &[0x0f]),
            Unclassified::BadLength,
        ),
        (
            "offset 4",
            with(good(), 32, &[0x4f]),
            Unclassified::BadLength,
        ),
        (
            "offset 8",
            with(good(), 32, &[0x80]),
            Unclassified::BadLength,
        ),
        (
            "source 0",
            with(good(), 20, &[0, 0]),
            Unclassified::ZeroPort,
        ),
        (
            "destination 0",
            with(good(), 22, &[0, 0]),
            Unclassified::ZeroPort,
        ),
        (
            "19 bytes",
            ipv4(TCP, &tcp(1, 2, &[])[..19]),
            Unclassified::BadLength,
        ),
        (
            "12 bytes",
            ipv4(TCP, &tcp(1, 2, &[])[..12]),
            Unclassified::Truncated,
        ),
        (
            "SCTP 11",
            ipv4(SCTP, &sctp(1, 2, &[])[..11]),
            Unclassified::Truncated,
        ),
        (
            "SCTP 0",
            ipv4(SCTP, &sctp(0, 2, &[])),
            Unclassified::ZeroPort,
        ),
    ]);
    assert!(whole(false, &with(good(), 32, &[0x70])).is_ok());
}

#[test]
fn vxlan_headers() {
    let good = || overlay_v4(&ethernet(&[IPV4], &ipv4(1, &[0; 8])));

    assert!(whole(false, &with(good(), 32, &[0xff, 0xff, 0xff])).is_ok());
    assert!(whole(false, &with(good(), 32, &[0, 0, 0])).is_ok());
    for flag in 0..8 {
        let flags = 0x08 ^ (1 << flag);
        assert_reasons(&[(
            "flags",
            with(good(), 28, &[flags]),
            Unclassified::TunnelFlags,
        )]);
    }
    for (at, bytes) in [(29, &[4, 4, 0][..]), (29, &[0, 1, 1]), (29, &[2, 0, 2])] {
        let packet = with(good(), at, bytes);
        assert_reasons(&[("several", packet, Unclassified::TunnelFlags)]);
    }
    for reserved in [29, 30, 31, 35] {
        for bit in 0..8 {
            let packet = with(good(), reserved, &[1 << bit]);
            assert_reasons(&[("reserved", packet, Unclassified::TunnelFlags)]);
        }
    }
}

#[test]
fn inner_frames() {
    let icmp = ipv4(1, &[0; 8]);
    let good = || overlay_v4(&ethernet(&[IPV4], &icmp));
    let tagged = |types: &[u16]| overlay_v4(&ethernet(types, &icmp));

    assert_reasons(&[
        (
            "broadcast",
            with(good(), 36, &[0xff; 6]),
            Unclassified::Multicast,
        ),
        ("group", with(good(), 36, &[0x01]), Unclassified::Multicast),
        ("ARP", tagged(&[0x0806]), Unclassified::NotIp),
        ("802.3", tagged(&[0x0028]), Unclassified::NotIp),
        ("tagged ARP", tagged(&[C_TAG, 0x0806]), Unclassified::NotIp),
        (
            "two tags",
            tagged(&[C_TAG, C_TAG, IPV4]),
            Unclassified::Vlan,
        ),
        ("S-tag", tagged(&[0x88a8, IPV4]), Unclassified::Vlan),
        (
            "S-tag, C-tag",
            tagged(&[0x88a8, C_TAG, IPV4]),
            Unclassified::Vlan,
        ),
        (
            "C-tag, S-tag",
            tagged(&[C_TAG, 0x88a8, IPV4]),
            Unclassified::Vlan,
        ),
        ("old S-tag", tagged(&[0x9100, IPV4]), Unclassified::Vlan),
    ]);
}

#[test]
fn tunnels_in_tunnels() {
    let nested = overlay_v4(&ethernet(&[IPV4], &ipv4(1, &[])));
    let tcp_to_the_port = ipv4(TCP, &tcp(1, 4789, &[0; 16]));

    assert_reasons(&[(
        "VXLAN in VXLAN",
        overlay_v4(&ethernet(&[IPV4], &nested)),
        Unclassified::NestedTunnel,
    )]);
    assert_eq!(whole(false, &tcp_to_the_port).unwrap().vni(), None);
    assert!(whole(false, &overlay_v4(&ethernet(&[IPV4], &tcp_to_the_port))).is_ok());
}

/// A tunnel's packet without a flow inside is not a flow to the host.
#[test]
fn tunnels_of_something_else() {
    assert_reasons(&[
        ("nothing", overlay_v4(&[]), Unclassified::Truncated),
        (
            "fragment",
            overlay_v4(&ethernet(&[IPV4], &with(ipv4(1, &[]), 6, &[0x20]))),
            Unclassified::Fragment,
        ),
        (
            "no VXLAN header",
            ipv4(UDP, &udp(1, 4789, &[8; 7])),
            Unclassified::Truncated,
        ),
    ]);
}

#[test]
fn vxlan_is_asked_for_by_family_and_port() {
    let asked = RefCell::new(Vec::new());
    let ports = |family: Family, port: u16| {
        asked.borrow_mut().push((family, port));
        port == 8472
    };
    let inner = ipv4(UDP, &udp(7, 9, &[]));
    let packet = overlay_v6(&ethernet(&[IPV4], &inner));

    assert!(parse(Family::V6, &packet, packet.len(), &ports).is_ok());
    assert_eq!(*asked.borrow(), [(Family::V6, 8472), (Family::V4, 9)]);
}

/// Link-layer padding does not matter, behind the outer packet and behind the inner one.
#[test]
fn padding() {
    for (name, v6, packet) in good_packets() {
        let plain = whole(v6, &packet).unwrap();
        let padded = [&packet[..], &[0xee; 26]].concat();
        assert_eq!(whole(v6, &padded), Ok(plain), "{name}");
    }
    let inner = [&ipv4(UDP, &udp(7, 9, &[]))[..], &[0; 18]].concat();
    assert!(whole(false, &overlay_v4(&ethernet(&[IPV4], &inner))).is_ok());
}

/// Cut anywhere, by the packet's end or by the window's, a packet gives its flow or a reason.
#[test]
fn truncation_at_every_byte() {
    for (name, v6, packet) in good_packets() {
        let whole = whole(v6, &packet).unwrap();

        for cut in 0..packet.len() {
            let short = oracle::check(v6, &packet[..cut], cut);
            assert!(short.is_err(), "{name} cut to {cut}");

            match oracle::check(v6, &packet[..cut], packet.len()) {
                Ok(packet) => assert_eq!(packet, whole, "{name} window {cut}"),
                Err(reason) => assert_eq!(reason, Unclassified::Truncated, "{name} {cut}"),
            }
        }
        let window = &packet[..packet.len().min(WINDOW)];
        assert_eq!(oracle::check(v6, window, packet.len()), Ok(whole), "{name}");
    }
}

/// The longest headers there are need the whole window.
#[test]
fn the_window_is_as_long_as_needed() {
    let inner = ipv6(TCP, &tcp(1, 2, &[0; 100]));
    let packet = overlay_v6(&ethernet(&[C_TAG, IPV6], &inner));
    let parse = |window| oracle::check(true, &packet[..window], packet.len());

    assert!(parse(WINDOW).is_ok());
    assert_eq!(parse(WINDOW - 1), Err(Unclassified::Truncated));
}

/// Each 16-bit field of each packet, set to each value near those that matter.
#[test]
fn lying_fields() {
    for (_, v6, packet) in good_packets() {
        for at in 0..packet.len().min(WINDOW) - 1 {
            let field = u16::from_be_bytes([packet[at], packet[at + 1]]);
            for value in [0, 1, 7, 8, 19, 20, 21, 0x7fff, 0x8000, 0xffff] {
                let _ = whole(v6, &with(packet.clone(), at, &u16::to_be_bytes(value)));
            }
            for step in [1, 4, 8, 256] {
                let _ = whole(
                    v6,
                    &with(
                        packet.clone(),
                        at,
                        &(field.wrapping_add(step)).to_be_bytes(),
                    ),
                );
                let _ = whole(
                    v6,
                    &with(
                        packet.clone(),
                        at,
                        &(field.wrapping_sub(step)).to_be_bytes(),
                    ),
                );
            }
        }
    }
}

#[test]
fn reasons_have_dense_indices_and_names() {
    for (index, reason) in Unclassified::ALL.iter().enumerate() {
        assert_eq!(reason.index(), index);
        assert_eq!(reason.to_string(), reason.as_str());
    }
    let mut names = Unclassified::ALL.map(Unclassified::as_str).to_vec();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Unclassified::COUNT);
}

/// A good packet with some bytes changed.
fn mutated() -> impl Strategy<Value = (bool, Vec<u8>)> {
    let changes = prop::collection::vec((any::<Index>(), any::<u8>()), 0..4);

    (any::<Index>(), changes).prop_map(|(which, changes)| {
        let (_, v6, mut packet) = which.get(&good_packets()).clone();
        for (at, byte) in changes {
            // Payload is of no interest.
            let headers = packet.len().min(WINDOW);
            packet[at.index(headers)] = byte;
        }
        (v6, packet)
    })
}

proptest! {
    #![proptest_config(cases(20_000))]

    #[test]
    fn arbitrary_bytes(v6: bool, head in prop::collection::vec(any::<u8>(), 0..160), len: u16) {
        let _ = oracle::check(v6, &head, len.into());
    }

    #[test]
    fn mutated_packets((v6, packet) in mutated(), window: Index, extra in 0usize..64) {
        let window = window.index(packet.len() + 1);

        let _ = oracle::check(v6, &packet, packet.len());
        let _ = oracle::check(v6, &packet[..window], packet.len());
        let _ = oracle::check(v6, &packet, packet.len() + extra);
    }
}
