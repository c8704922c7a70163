// SPDX-License-Identifier: GPL-2.0

//! Headers that are legal, or almost.

use super::{
    Group,
    Transport, //
};
use crate::frame::{
    Checksum,
    Pair, //
};

/// Packets of the flow as they should be.
pub fn valid(group: &mut Group<'_>) {
    group.both("plain", "classified", |_| {});
    group.both("ttl-1", "classified", |r| r.ip.ttl = 1);
    group.both("dscp-46", "classified", |r| r.ip.tos = 46 << 2);
    group.both("outer-dscp-46", "classified", |r| r.outer.tos = 46 << 2);
    group.both("padding", "classified", |r| r.padding = 7);
    group.both("outer-checksum-none", "classified", |r| {
        r.outer_udp.checksum = Checksum::Zero
    });
    group.v4("checksum-none-v4", "classified", |r| {
        set_checksum(r, Checksum::Zero)
    });
    group.v4("dont-fragment-v4", "classified", |r| r.ip.fragment = 0x4000);
    group.both("tag", "classified", |r| r.ethernet.tags = vec![(0x8100, 5)]);
    group.both("priority-tag", "classified", |r| {
        r.ethernet.tags = vec![(0x8100, 6 << 13)]
    });
    group.both("tcp", "unmatched", |r| {
        r.ip.protocol = 6;
        r.transport = Transport::Tcp { offset: 5 };
    });
    group.both("other-protocol", "unmatched", |r| {
        r.ip.protocol = 47;
        r.transport = Transport::None;
    });
}

/// Checksums are the kernel's to check: such a packet is classified, and then dropped.
pub fn checksums(group: &mut Group<'_>) {
    group.both("outer-udp", "classified", |r| {
        r.outer_udp.checksum = Checksum::Wrong
    });
    group.both("udp", "classified", |r| set_checksum(r, Checksum::Wrong));
    group.v4("ip", "classified", |r| r.ip.checksum = Checksum::Wrong);
    group.v6("udp-none-v6", "classified", |r| {
        set_checksum(r, Checksum::Zero)
    });
    if let Pair::V4(..) = group.v4.outer.pair {
        group.both("outer-ip", "classified", |r| {
            r.outer.checksum = Checksum::Wrong
        });
    }
}

fn set_checksum(recipe: &mut super::Recipe, checksum: Checksum) {
    if let Transport::Udp(udp) = &mut recipe.transport {
        udp.checksum = checksum;
    }
}

/// IPv4 options and IPv6 extension headers.
pub fn options(group: &mut Group<'_>) {
    const NOPS: [u8; 4] = [1, 1, 1, 0];
    const ROUTER_ALERT: [u8; 4] = [148, 4, 0, 0];
    const RECORD_ROUTE: [u8; 8] = [7, 7, 4, 0, 0, 0, 0, 0];
    const BROKEN: [u8; 4] = [7, 200, 4, 0];
    let v4: [(&str, &[u8]); 4] = [
        ("nops", &NOPS),
        ("router-alert", &ROUTER_ALERT),
        ("record-route", &RECORD_ROUTE),
        ("broken", &BROKEN),
    ];

    for (name, option) in v4 {
        group.v4(name, "unclassified_options", |r| {
            r.ip.extra = option.to_vec()
        });
        if let Pair::V4(..) = group.v4.outer.pair {
            group.v4(format!("outer-{name}"), "unclassified_options", |r| {
                r.outer.extra = option.to_vec()
            });
        }
    }
    for (name, header) in [
        ("hop-by-hop", 0),
        ("destination", 60),
        ("routing", 43),
        ("shim", 140),
    ] {
        group.v6(name, "unclassified_extension", |r| r.ip.extend(header));
        if let Pair::V6(..) = group.v6.outer.pair {
            group.v6(format!("outer-{name}"), "unclassified_extension", |r| {
                r.outer.extend(header)
            });
        }
    }
    group.v6("no-next-header", "unclassified_extension", |r| {
        r.ip.protocol = 59
    });
}

/// Pieces of packets, whose rest comes later or never.
pub fn fragments(group: &mut Group<'_>) {
    const FRAGMENT: &str = "unclassified_fragment";

    for (name, value) in [
        ("first", 0x2000),
        ("middle", 0x2003),
        ("last", 0x0003),
        ("flag", 0x8000),
    ] {
        group.v4(name, FRAGMENT, |r| {
            r.ip.fragment = value;
            r.ip.id = 77;
        });
        if let Pair::V4(..) = group.v4.outer.pair {
            group.v4(format!("outer-{name}"), FRAGMENT, |r| {
                r.outer.fragment = value;
                r.outer.id = 78;
            });
        }
    }
    for (name, value) in [
        ("first", 0x0001u16),
        ("middle", 0x0009),
        ("last", 0x0008),
        ("atomic", 0),
    ] {
        group.v6(format!("{name}-v6"), FRAGMENT, |r| {
            r.ip.be_fragment_v6(value, 79)
        });
    }
    pieces(group);
}

/// Both halves of one outer packet: the kernel makes a whole of them.
fn pieces(group: &mut Group<'_>) {
    let Pair::V4(..) = group.v4.outer.pair else {
        return;
    };
    let recipe = group.v4.clone();
    let inner = recipe.vxlan.wrap(&recipe.inner(&group.content()));
    let datagram = recipe.outer_udp.wrap(&recipe.outer.pair, &inner);
    let at = 56;

    for (name, data, fragment) in [
        ("half-1", &datagram[..at], 0x2000),
        ("half-2", &datagram[at..], at as u16 / 8),
    ] {
        let mut ip = recipe.outer.clone();
        ip.fragment = fragment;
        ip.id = 80;
        let frame = recipe.outer_ethernet.wrap(&ip.wrap(data));
        group.raw(name, "unclassified_fragment", frame);
    }
}

/// Each outer ECN field with each inner one.
pub fn ecn(group: &mut Group<'_>) {
    const NAMES: [&str; 4] = ["none", "ect1", "ect0", "ce"];

    for (outer, outer_name) in NAMES.iter().enumerate() {
        for (inner, inner_name) in NAMES.iter().enumerate() {
            group.both(
                &format!("{outer_name}-over-{inner_name}"),
                "classified",
                |r| {
                    r.outer.tos = 40 | outer as u8;
                    r.ip.tos = 72 | inner as u8;
                },
            );
        }
    }
}
