// SPDX-License-Identifier: GPL-2.0

//! Inner Ethernet headers: addresses, tags and types.

use super::Group;

/// The first byte's bit of a group address.
const GROUP: u8 = 1;

/// All of them.
pub fn all(group: &mut Group<'_>) {
    macs(group);
    tags(group);
}

fn macs(group: &mut Group<'_>) {
    group.both("broadcast", "unclassified_multicast", |r| {
        r.ethernet.destination = [0xff; 6]
    });
    group.both("multicast", "unclassified_multicast", |r| {
        r.ethernet.destination = [0x33, 0x33, 0, 0, 0, 1]
    });
    group.both("unknown", "classified", |r| {
        r.ethernet.destination[5] ^= 0x80
    });
    group.both("from-zero", "classified", |r| r.ethernet.source = [0; 6]);
    group.both("from-group", "classified", |r| {
        r.ethernet.source[0] |= GROUP
    });
    group.both("to-zero", "classified", |r| r.ethernet.destination = [0; 6]);
    group.both("outer-broadcast", "none", |r| {
        r.outer_ethernet.destination = [0xff; 6]
    });
}

fn tags(group: &mut Group<'_>) {
    group.both("two-tags", "unclassified_vlan", |r| {
        r.ethernet.tags = vec![(0x8100, 5), (0x8100, 6)]
    });
    group.both("service-tag", "unclassified_vlan", |r| {
        r.ethernet.tags = vec![(0x88a8, 5)]
    });
    group.both("arp", "unclassified_not_ip", |r| {
        r.ethernet.ethertype = 0x0806
    });
    group.both("tag-arp", "unclassified_not_ip", |r| {
        r.ethernet.tags = vec![(0x8100, 5)];
        r.ethernet.ethertype = 0x0806;
    });
    group.both("unknown-type", "unclassified_not_ip", |r| {
        r.ethernet.ethertype = 0x88b5
    });
    group.both("length-as-type", "unclassified_not_ip", |r| {
        r.ethernet.ethertype = 60
    });
    group.both("outer-priority-tag", "classified", |r| {
        r.outer_ethernet.tags = vec![(0x8100, 6 << 13)]
    });
}
