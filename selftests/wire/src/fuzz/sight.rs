// SPDX-License-Identifier: GPL-2.0

//! What a packet socket sees, less what depends on chance: how much was merged.

use std::{
    mem,
    os::fd::{
        AsRawFd,
        BorrowedFd, //
    },
};

use anyhow::{
    bail,
    Result, //
};

use super::{
    burst::UDP_PORTS,
    draft::HEADER,
    message::Message,
    parse::{
        self,
        Packet, //
    },
    place::{
        REMOTE_MAC,
        ROUTER_MAC, //
    },
    watch::{
        Item,
        SENTINEL, //
    },
};
use crate::content;

const TP_STATUS_VLAN_VALID: u32 = 1 << 4;

/// Has a packet socket tell of checksums, segments and VLAN tags.
pub fn tell_all(fd: BorrowedFd<'_>) -> Result<()> {
    for option in [libc::PACKET_VNET_HDR, libc::PACKET_AUXDATA] {
        let on: libc::c_int = 1;
        // SAFETY: The pointer and the length are those of `on`.
        let rc = unsafe {
            libc::setsockopt(
                fd.as_raw_fd(),
                libc::SOL_PACKET,
                option,
                (&raw const on).cast(),
                mem::size_of_val(&on) as u32,
            )
        };
        if rc < 0 {
            bail!("packet socket: {}", std::io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Adds what `message` shows, if it came from the other end.
pub fn add(observer: &str, message: &Message<'_>, is_merging: bool, items: &mut Vec<Item>) {
    let Some((header, frame)) = message.bytes.split_at_checked(HEADER) else {
        return;
    };
    let sender = frame.get(6..12);
    if sender != Some(&REMOTE_MAC) && sender != Some(&ROUTER_MAC) {
        return;
    }

    let tag = match message.aux.status & TP_STATUS_VLAN_VALID {
        0 => String::new(),
        _ => format!(" vlan={:#06x}", message.aux.vlan),
    };
    let packet = parse::packet(frame);
    let source = packet.map_or(String::new(), |packet| packet.source.to_string());
    if sender == Some(&ROUTER_MAC) && !["10.244.1.2", "fd00:244:1::2"].contains(&source.as_str()) {
        return;
    }
    let flow = |kind: &str| format!("{observer} from={source} {kind}{tag}");
    let mut push = |kind: &str, text: String| {
        items.push(Item {
            flow: flow(kind),
            text,
            ..Item::default()
        })
    };
    match packet {
        Some(packet) if packet.segment().is_some() => items.push(see_segment(&packet, flow)),
        Some(packet) if is_sentinel(&packet) => {}
        Some(packet) if is_merged(&packet, is_merging) => see_datagrams(&packet, header, &mut push),
        _ => push(
            &kind(packet),
            format!(
                "partial={} len={} frame={:016x}.{:016x}",
                header[0] & 1,
                frame.len(),
                content::hash(&frame[..14]),
                content::hash(&parse::without_id(&frame[14..]))
            ),
        ),
    }
}

/// Whether datagrams may have been merged: by the device, or for a socket on the host with that port.
fn is_merged(packet: &Packet<'_>, is_merging: bool) -> bool {
    let is_to = |port: u16| parse::word(packet.payload, 2) == Some(port);

    packet.protocol == 17 && (is_merging || is_to(UDP_PORTS[4]))
}

fn is_sentinel(packet: &Packet<'_>) -> bool {
    packet.protocol == 17
        && packet
            .payload
            .get(8..)
            .is_some_and(|content| content.starts_with(SENTINEL))
}

fn kind(packet: Option<Packet<'_>>) -> String {
    let Some(packet) = packet else {
        return "other".into();
    };
    let ports = match packet.protocol {
        17 | 132 => [0, 2].map(|at| parse::word(packet.payload, at).unwrap_or(0)),
        _ => [0, 0],
    };

    format!(
        "protocol={} ports={}-{}",
        packet.protocol, ports[0], ports[1]
    )
}

/// Bytes of a connection, by their places: it does not matter in how many packets they are.
fn see_segment(packet: &Packet<'_>, flow: impl Fn(&str) -> String) -> Item {
    let Some(segment) = packet.segment() else {
        return Item::default();
    };
    let flow = flow(&format!(
        "tcp ports={}-{}",
        segment.source, segment.destination
    ));

    if segment.data.is_empty() {
        return Item {
            flow,
            text: format!("seq={} flags={:#04x}", segment.seq, segment.flags),
            ..Item::default()
        };
    }
    let sum = segment
        .data
        .iter()
        .enumerate()
        .fold(0u64, |sum, (at, byte)| {
            let place = segment.seq.wrapping_add(at as u32);
            sum.wrapping_add(content::mix((u64::from(place) << 8) | u64::from(*byte)))
        });
    Item {
        flow: format!("{flow} data"),
        bytes: segment.data.len() as u64,
        sum,
        ..Item::default()
    }
}

/// The datagrams that a packet stands for.
fn see_datagrams(packet: &Packet<'_>, header: &[u8], push: &mut impl FnMut(&str, String)) {
    let content = packet.payload.get(8..).unwrap_or(&[]);
    let size = match header[1] {
        0 => content.len().max(1),
        _ => usize::from(u16::from_le_bytes([header[4], header[5]])),
    };
    let kind = kind(Some(*packet));

    if content.is_empty() {
        push(&kind, "len=0".into());
    }
    for part in content.chunks(size.max(1)) {
        let hash = content::hash(part);
        push(&kind, format!("len={} content={hash:016x}", part.len()));
    }
}
