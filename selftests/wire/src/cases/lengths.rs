// SPDX-License-Identifier: GPL-2.0

//! Packets that end too early, and headers that lie about lengths.

use super::{
    Group,
    Recipe,
    Transport, //
};
use crate::frame::Pair;

const ETHERNET: usize = 14;
const VXLAN: usize = 8;

/// Cut at each byte.
pub fn truncated(group: &mut Group<'_>) {
    let (v4, v6) = (group.v4, group.v6);

    cut_frame(group, v4);
    cut_content(group, v4, "v4");
    cut_content(group, v6, "v6");
}

/// The frame ends early; each length still says what it was.
fn cut_frame(group: &mut Group<'_>, recipe: &Recipe) {
    let frame = recipe.build(&group.content());
    let outer = recipe.outer.wrap(&[]).len();

    for len in ETHERNET..frame.len() {
        let expect = if len < ETHERNET + outer {
            "unclassified_truncated"
        } else {
            "unclassified_bad_length"
        };
        group.raw(format!("frame-{len}"), expect, frame[..len].to_vec());
    }
}

/// The outer datagram is well-formed; what it holds ends early.
fn cut_content(group: &mut Group<'_>, recipe: &Recipe, family: &str) {
    let whole = recipe.vxlan.wrap(&recipe.inner(&group.content()));
    let inner = VXLAN + ETHERNET + recipe.ip.wrap(&[]).len();

    for len in 0..whole.len() {
        let expect = if len < inner {
            "unclassified_truncated"
        } else {
            "unclassified_bad_length"
        };
        let frame = recipe.outer(&whole[..len]);
        group.raw(format!("content-{family}-{len}"), expect, frame);
    }
}

/// Lengths that contradict each other.
pub fn lies(group: &mut Group<'_>) {
    const BAD: &str = "unclassified_bad_length";
    let over_v4 = matches!(group.v4.outer.pair, Pair::V4(..));

    for lie in [-9999, -30, -1, 1, 30, 9999] {
        group.both(&format!("outer-ip{lie:+}"), BAD, |r| r.outer.len = lie);
        group.both(&format!("outer-udp{lie:+}"), BAD, |r| r.outer_udp.len = lie);
        group.both(&format!("ip{lie:+}"), BAD, |r| r.ip.len = lie);
        group.both(&format!("udp{lie:+}"), BAD, |r| set_udp_len(r, lie));
    }
    group.both("udp-to-0", BAD, |r| set_udp_len(r, -48));
    group.both("udp-to-7", BAD, |r| set_udp_len(r, -41));
    group.v6("ip-v6-to-0", "unclassified_truncated", |r| r.ip.len = -48);
    for words in [0, 4] {
        group.v4(format!("header-length-{words}"), BAD, |r| {
            r.ip.header_len = Some(words)
        });
        if over_v4 {
            group.v4(format!("outer-header-length-{words}"), BAD, |r| {
                r.outer.header_len = Some(words)
            });
        }
    }
    for words in [6, 15] {
        const OPTIONS: &str = "unclassified_options";
        group.v4(format!("header-length-{words}"), OPTIONS, |r| {
            r.ip.header_len = Some(words)
        });
        if over_v4 {
            group.v4(format!("outer-header-length-{words}"), OPTIONS, |r| {
                r.outer.header_len = Some(words)
            });
        }
    }
    for offset in [0, 4, 15] {
        group.both(&format!("tcp-offset-{offset}"), tcp(offset), |r| {
            r.ip.protocol = 6;
            r.transport = Transport::Tcp { offset };
        });
    }
    for version in [0, 5, 15] {
        group.both(&format!("version-{version}"), "unclassified_not_ip", |r| {
            r.ip.version = version
        });
        group.both(
            &format!("outer-version-{version}"),
            "unclassified_not_ip",
            |r| r.outer.version = version,
        );
    }
}

/// With 40 bytes of content, 15 words are what there is.
fn tcp(offset: u8) -> &'static str {
    if offset == 15 {
        "unmatched"
    } else {
        "unclassified_bad_length"
    }
}

fn set_udp_len(recipe: &mut Recipe, len: i32) {
    if let Transport::Udp(udp) = &mut recipe.transport {
        udp.len = len;
    }
}
