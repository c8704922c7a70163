// SPDX-License-Identifier: GPL-2.0

//! VXLAN headers and ports that are not what the tunnel has.

use super::{
    Group,
    Transport, //
};
use crate::frame::Udp;

const I: u32 = 1 << 27;

/// Flags, reserved bits, network identifiers.
pub fn header(group: &mut Group<'_>) {
    for bit in 0..32 {
        group.v4(format!("flags-{bit}"), "unclassified_tunnel_flags", |r| {
            r.vxlan.flags ^= 1 << bit
        });
    }
    group.v6("flags-none", "unclassified_tunnel_flags", |r| {
        r.vxlan.flags = 0
    });
    group.v6("flags-all", "unclassified_tunnel_flags", |r| {
        r.vxlan.flags = !0
    });
    group.v6("flags-all-but-i", "unclassified_tunnel_flags", |r| {
        r.vxlan.flags = !I
    });
    for bit in 0..8 {
        group.v4(
            format!("reserved-{bit}"),
            "unclassified_tunnel_flags",
            |r| r.vxlan.reserved = 1 << bit,
        );
    }
    for vni in [0, 1, 0xff_ffff] {
        group.both(&format!("vni-{vni}"), "unmatched", |r| r.vxlan.vni = vni);
    }
}

/// Ports that are zero or another's.
pub fn ports(group: &mut Group<'_>) {
    const ZERO: &str = "unclassified_zero_port";

    group.both("outer-source-0", ZERO, |r| r.outer_udp.source = 0);
    group.both("outer-destination-0", ZERO, |r| r.outer_udp.destination = 0);
    group.both("source-0", ZERO, |r| udp(r, |udp| udp.source = 0));
    group.both("destination-0", ZERO, |r| udp(r, |udp| udp.destination = 0));
    group.both("outer-destination-4", "unmatched", |r| {
        r.outer_udp.destination = 4
    });
    group.both("destination-4", "unmatched", |r| {
        udp(r, |udp| udp.destination = 4)
    });
}

fn udp(recipe: &mut super::Recipe, change: impl Fn(&mut Udp)) {
    if let Transport::Udp(udp) = &mut recipe.transport {
        change(udp);
    }
}

/// VXLAN inside VXLAN. A socket for it there is of the outer family only.
pub fn nested(group: &mut Group<'_>) {
    for (name, recipe) in [("v4", group.v4.clone()), ("v6", group.v6.clone())] {
        let expect = if recipe.ip.pair.ethertype() == recipe.outer.pair.ethertype() {
            "unclassified_nested_tunnel"
        } else {
            "unmatched"
        };
        let mut outer = recipe.clone();
        udp(&mut outer, |udp| {
            udp.destination = recipe.outer_udp.destination
        });

        let inner = recipe.vxlan.wrap(&recipe.inner(&group.content()));
        let frame = outer.build(&inner);
        group.raw(format!("nested-{name}"), expect, frame);
        let frame = outer.build(&[]);
        group.raw(format!("nested-empty-{name}"), expect, frame);
    }
}
