// SPDX-License-Identifier: GPL-2.0

//! Builds packets, right unless told otherwise.

/// UDP ports on which the tests' VXLAN is received, over IPv4 and IPv6.
pub const VXLAN_PORTS: [u16; 2] = [4789, 8472];

pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const SCTP: u8 = 132;

pub const IPV4: u16 = 0x0800;
pub const C_TAG: u16 = 0x8100;
pub const IPV6: u16 = 0x86dd;

/// The addresses in packets from here.
pub const V4: [[u8; 4]; 2] = [[10, 1, 2, 3], [10, 4, 5, 6]];
pub const V6: [[u8; 16]; 2] = [
    [
        0xfd, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, //
    ],
    [
        0xfd, 0, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, //
    ],
];

/// An IPv4 packet with DSCP 46 and the Don't Fragment flag.
pub fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let len = (20 + payload.len()) as u16;
    let mut packet = vec![0x45, 46 << 2];

    packet.extend(len.to_be_bytes());
    packet.extend([0x12, 0x34, 0x40, 0, 64, protocol, 0xab, 0xcd]);
    packet.extend(V4.concat());
    packet.extend(payload);
    packet
}

/// An IPv6 packet with DSCP 34 and a flow label.
pub fn ipv6(next_header: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x68, 0x85, 0x43, 0x21];

    packet.extend((payload.len() as u16).to_be_bytes());
    packet.extend([next_header, 64]);
    packet.extend(V6.concat());
    packet.extend(payload);
    packet
}

pub fn udp(source: u16, destination: u16, data: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::new();

    datagram.extend(source.to_be_bytes());
    datagram.extend(destination.to_be_bytes());
    datagram.extend(((8 + data.len()) as u16).to_be_bytes());
    datagram.extend([0xbe, 0xef]);
    datagram.extend(data);
    datagram
}

/// A TCP segment without options.
pub fn tcp(source: u16, destination: u16, data: &[u8]) -> Vec<u8> {
    let mut segment = Vec::new();

    segment.extend(source.to_be_bytes());
    segment.extend(destination.to_be_bytes());
    segment.extend([0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x10, 1, 0, 0xbe, 0xef, 0, 0]);
    segment.extend(data);
    segment
}

pub fn sctp(source: u16, destination: u16, data: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();

    packet.extend(source.to_be_bytes());
    packet.extend(destination.to_be_bytes());
    packet.extend([1, 2, 3, 4, 5, 6, 7, 8]);
    packet.extend(data);
    packet
}

pub fn vxlan(vni: u32, frame: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x08, 0, 0, 0];

    packet.extend((vni << 8).to_be_bytes());
    packet.extend(frame);
    packet
}

/// A frame with a header of one EtherType, or of several with the tags in between.
pub fn ethernet(types: &[u16], payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2];

    for (index, ethertype) in types.iter().enumerate() {
        if index > 0 {
            frame.extend([0x20, 0x64]);
        }
        frame.extend(ethertype.to_be_bytes());
    }
    frame.extend(payload);
    frame
}

/// A VXLAN packet over IPv4 with VNI 42 around a frame.
pub fn overlay_v4(frame: &[u8]) -> Vec<u8> {
    ipv4(UDP, &udp(50_000, 4789, &vxlan(42, frame)))
}

/// A VXLAN packet over IPv6 with VNI 43 around a frame.
pub fn overlay_v6(frame: &[u8]) -> Vec<u8> {
    ipv6(UDP, &udp(50_000, 8472, &vxlan(43, frame)))
}

/// One packet of each kind that is classified, with whether it is IPv6.
pub fn good_packets() -> Vec<(&'static str, bool, Vec<u8>)> {
    let data = [0x5a; 40];
    let udp_v4 = ipv4(UDP, &udp(5555, 11_211, &data));
    let tcp_v4 = ipv4(TCP, &tcp(5555, 80, &data));
    let sctp_v4 = ipv4(SCTP, &sctp(5555, 2905, &data));
    let icmp = ipv4(1, &data);
    let udp_v6 = ipv6(UDP, &udp(5555, 11_211, &data));
    let tcp_v6 = ipv6(TCP, &tcp(5555, 80, &data));
    let icmpv6 = ipv6(58, &data);
    let gre = ipv4(47, &[]);

    vec![
        ("udp4", false, udp_v4.clone()),
        ("tcp4", false, tcp_v4.clone()),
        ("sctp4", false, sctp_v4.clone()),
        ("icmp", false, icmp.clone()),
        ("gre", false, gre),
        ("udp6", true, udp_v6.clone()),
        ("tcp6", true, tcp_v6.clone()),
        ("icmpv6", true, icmpv6.clone()),
        (
            "vxlan4-udp4",
            false,
            overlay_v4(&ethernet(&[IPV4], &udp_v4)),
        ),
        (
            "vxlan4-tcp4",
            false,
            overlay_v4(&ethernet(&[IPV4], &tcp_v4)),
        ),
        ("vxlan4-icmp", false, overlay_v4(&ethernet(&[IPV4], &icmp))),
        (
            "vxlan4-tcp6",
            false,
            overlay_v4(&ethernet(&[IPV6], &tcp_v6)),
        ),
        (
            "vxlan4-vlan-sctp4",
            false,
            overlay_v4(&ethernet(&[C_TAG, IPV4], &sctp_v4)),
        ),
        ("vxlan6-udp4", true, overlay_v6(&ethernet(&[IPV4], &udp_v4))),
        (
            "vxlan6-icmpv6",
            true,
            overlay_v6(&ethernet(&[IPV6], &icmpv6)),
        ),
        (
            "vxlan6-vlan-tcp6",
            true,
            overlay_v6(&ethernet(&[C_TAG, IPV6], &tcp_v6)),
        ),
    ]
}
