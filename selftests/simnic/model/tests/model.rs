// SPDX-License-Identifier: GPL-2.0

//! Descriptions, arrivals, frames and histograms.

use prism_host::classify::{
    self,
    Family, //
};
use simnic_model::{
    arrivals::Arrivals,
    flow::{
        Error,
        Flow,
        Mac, //
    },
    frame::{
        Stamp,
        Template, //
    },
    histogram::{
        bucket,
        lowest,
        BUCKETS, //
    },
    note::{
        Group,
        Last,
        Since, //
    },
};

const PLAIN: &str = "host rate=1000 source=10.0.0.2 destination=10.0.0.1";
const TUNNEL: &str = "high rate=1000 size=100 source=10.1.0.2 destination=10.1.0.1 ports=3 vni=77 \
    outer_source=10.0.0.2 outer_destination=10.0.0.1 vxlan_port=8472 \
    source_mac=02:00:00:00:00:02 destination_mac=02:00:00:00:00:11";

fn flow(line: &str) -> Flow {
    Flow::parse(line).unwrap()
}

#[test]
fn what_is_wrong_with_a_description_is_said() {
    let bad = |extra: &str| {
        let line = format!("{PLAIN} {extra}");
        Flow::parse(&line).unwrap_err().to_string()
    };

    assert_eq!(bad("rate=0"), "'rate=0': no such value");
    assert_eq!(bad("size=23"), "'size=23': no such value");
    assert_eq!(bad("size=1401"), "'size=1401': no such value");
    assert_eq!(bad("seed=-1"), "'seed=-1': no such value");
    assert_eq!(bad("source_port=0"), "'source_port=0': no such value");
    assert_eq!(
        bad("source_mac=2:0:0:0:0:1"),
        "'source_mac=2:0:0:0:0:1': no such value"
    );
    assert_eq!(bad("speed=1"), "'speed=1' is no KEY=VALUE of a flow");
    assert_eq!(bad("protocol=sctp"), "'protocol=sctp': no such value");
    assert_eq!(bad("note=time"), "'note=time': no such value");
    assert_eq!(bad("group=0"), "'group=0': no such value");
    assert_eq!(
        bad("protocol=tcp ports=2"),
        "a TCP flow has one source port"
    );
    assert_eq!(bad("fast"), "'fast' is no KEY=VALUE of a flow");
    assert_eq!(bad("vni=1"), "outer_source is missing");
    assert_eq!(
        bad("destination=fd00::1"),
        "addresses of different families"
    );
    assert_eq!(Flow::parse(""), Err(Error::Name));
    assert_eq!(Flow::parse("a/b rate=1"), Err(Error::Name));
    assert_eq!(
        Flow::parse("x source=::1 destination=::2"),
        Err(Error::Missing("rate"))
    );
    assert_eq!(
        Flow::parse("x rate=1 source=::1"),
        Err(Error::Missing("destination"))
    );
}

#[test]
fn regular_arrivals_keep_their_distance() {
    let times: Vec<_> = Arrivals::new(&flow(&format!("{PLAIN} rate=3000 burst=4")), 1000).collect();
    let first = times[0];

    assert!((2996..=3000).contains(&times.len()), "{}", times.len());
    for (number, time) in times.iter().enumerate() {
        let expected = first as f64 + (number / 4) as f64 * 4e9 / 3000.0;
        assert!((*time as f64 - expected).abs() <= 1.0, "{number}: {time}");
    }
}

#[test]
fn random_arrivals_are_a_poisson_process() {
    let times: Vec<_> = Arrivals::new(
        &flow(&format!("{PLAIN} rate=20000 arrivals=random seed=9")),
        10_000,
    )
    .collect();
    let gaps: Vec<_> = times
        .windows(2)
        .map(|pair| (pair[1] - pair[0]) as f64)
        .collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let longer = gaps.iter().filter(|gap| **gap > mean).count() as f64 / gaps.len() as f64;
    let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;

    assert!((mean - 50_000.0).abs() < 500.0, "{mean}");
    assert!((longer - (-1f64).exp()).abs() < 0.005, "{longer}");
    assert!((variance.sqrt() / mean - 1.0).abs() < 0.02, "{variance}");
}

#[test]
fn the_same_seed_gives_the_same_arrivals_and_another_does_not() {
    let times = |seed: u32| -> Vec<u64> {
        let line = format!("{PLAIN} arrivals=random seed={seed}");
        Arrivals::new(&flow(&line), 500).collect()
    };

    assert_eq!(times(1), times(1));
    assert_ne!(times(1), times(2));
}

#[test]
fn a_flow_comes_when_it_is_to() {
    let line = format!("{PLAIN} from_ms=200 to_ms=300");
    let times: Vec<_> = Arrivals::new(&flow(&line), 1000).collect();

    assert!((99..=101).contains(&times.len()));
    assert!(times
        .iter()
        .all(|time| (200_000_000..300_000_000).contains(time)));
}

fn frame(line: &str, sequence: u64) -> Vec<u8> {
    frame_after(line, sequence, 0)
}

fn frame_after(line: &str, sequence: u64, before: u32) -> Vec<u8> {
    let template = Template::new(&flow(line), Mac([2, 0, 0, 0, 0, 1]));
    let mut frame = vec![0; template.frame_len()];
    let stamp = Stamp {
        flow: 3,
        sequence,
        arrival: 0x0123_4567_89ab_cdef,
    };

    template.write(&stamp, before, &mut frame);
    frame
}

/// The sum of 16-bit words, folded (RFC 1071).
fn sum(parts: &[&[u8]]) -> u32 {
    let bytes = parts.concat();
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) * 256 + u32::from(*pair.get(1).unwrap_or(&0)))
        .sum();

    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum
}

/// The datagram in an IP packet, after its checksums were found right.
fn udp(packet: &[u8]) -> &[u8] {
    let (addresses, datagram) = match packet[0] >> 4 {
        4 => {
            assert_eq!(sum(&[&packet[..20]]), 0xffff);
            (&packet[12..20], &packet[20..])
        }
        _ => (&packet[8..40], &packet[40..]),
    };
    let len = datagram.len() as u16;

    assert_eq!(datagram[4..6], len.to_be_bytes());
    if datagram[6..8] != [0, 0] {
        assert_eq!(
            sum(&[addresses, &[0, 17], &len.to_be_bytes(), datagram]),
            0xffff
        );
    }
    datagram
}

fn parse(frame: &[u8], family: Family) -> classify::Flow {
    let packet = &frame[14..];

    classify::parse(family, packet, packet.len(), &|_: Family, port: u16| {
        port == 8472
    })
    .unwrap()
}

#[test]
fn frames_are_what_they_say() {
    for sequence in [0, 1, 2, 1 << 40] {
        let frame = frame(TUNNEL, sequence);
        let found = parse(&frame, Family::V4);
        let outer = udp(&frame[14..]);
        let inner = udp(&outer[16 + 14..]);

        assert_eq!(found.vni().map(|vni| vni.get()), Some(77));
        assert_eq!(found.destination().to_string(), "10.1.0.1");
        assert_eq!(found.transport().source_port, 40000 + (sequence % 3) as u16);
        assert_eq!(found.transport().destination_port, 5001);
        assert_ne!(inner[6..8], [0, 0]);
        assert_eq!(inner.len(), 108);
        assert_eq!(Stamp::read(&inner[8..]).unwrap().sequence, sequence);
        assert_eq!(Stamp::read(&inner[8..]).unwrap().flow, 3);
    }
}

/// The segment in an IP packet, after its checksums were found right.
fn tcp(packet: &[u8]) -> &[u8] {
    let (addresses, segment) = match packet[0] >> 4 {
        4 => {
            assert_eq!(sum(&[&packet[..20]]), 0xffff);
            (&packet[12..20], &packet[20..])
        }
        _ => (&packet[8..40], &packet[40..]),
    };
    let len = segment.len() as u16;

    assert_eq!(
        sum(&[addresses, &[0, 6], &len.to_be_bytes(), segment]),
        0xffff
    );
    segment
}

#[test]
fn segments_continue_a_connection() {
    let six = "source=fd00::2 destination=fd00::1 outer_source=fd01::2 outer_destination=fd01::1";

    for more in ["", six] {
        let line = format!("{TUNNEL} {more} protocol=tcp ports=1 burst=3");
        for (sequence, before, flags) in [(0, 0, 0x10), (4, 3, 0x10), (5, 40_000_000, 0x18)] {
            let frame = frame_after(&line, sequence, before);
            let outer_ip = if more.is_empty() { 20 } else { 40 };
            let inner = &frame[14 + outer_ip + 16 + 14..];
            let segment = tcp(inner);

            if !more.is_empty() {
                udp(&frame[14..]);
            }
            let number = u32::from_be_bytes(segment[4..8].try_into().unwrap());
            assert_eq!(number, 1u32.wrapping_add(before.wrapping_mul(100)));
            assert_eq!(segment[8..12], 1u32.to_be_bytes());
            assert_eq!(segment[13], flags);
            assert_eq!(segment.len(), 120);
            assert_eq!(Stamp::read(&segment[20..]).unwrap().sequence, sequence);
        }
    }
}

#[test]
fn checksums_over_ipv6_are_right_at_both_levels() {
    let line = "six rate=1 source=fd00::2 destination=fd00::1 vni=77 outer_source=fd01::2 \
        outer_destination=fd01::1 vxlan_port=8472 source_mac=02:00:00:00:00:02 \
        destination_mac=02:00:00:00:00:11";

    for sequence in 0..100 {
        let frame = frame(line, sequence * 0x1_0001);
        let outer = udp(&frame[14..]);

        parse(&frame, Family::V6);
        assert_ne!(outer[6..8], [0, 0]);
        assert_ne!(udp(&outer[16 + 14..])[6..8], [0, 0]);
    }
}

#[test]
fn plain_frames_are_for_the_nic() {
    let frame = frame(PLAIN, 5);

    assert_eq!(frame[..6], [2, 0, 0, 0, 0, 1]);
    assert_eq!(frame.len(), 14 + 20 + 8 + 64);
    assert_eq!(parse(&frame, Family::V4).vni(), None);
    udp(&frame[14..]);
}

#[test]
fn a_short_buffer_is_left_alone() {
    let template = Template::new(&flow(PLAIN), Mac::default());
    let mut frame = vec![0; template.frame_len() - 1];
    let stamp = Stamp {
        flow: 0,
        sequence: 0,
        arrival: 0,
    };

    template.write(&stamp, 0, &mut frame);
    assert!(frame.iter().all(|byte| *byte == 0));
    assert_eq!(Stamp::read(&frame), None);
}

#[test]
fn receptions_tell_of_gaps_jitter_and_age() {
    let last = Last::default();
    let since = |gap, jitter, age| Some(Since { gap, jitter, age });

    assert_eq!(last.receive(100, 110), None);
    assert_eq!(last.receive(200, 230), since(120, 20, 130));
    // Overtaken: what is newest stays.
    assert_eq!(last.receive(150, 240), since(10, 60, 40));
    assert_eq!(last.receive(300, 310), since(70, 80, 110));
}

#[test]
fn a_group_is_complete_with_its_last_packet() {
    let group = Group::default();

    assert_eq!(group.receive(3, 1010, 1100), None);
    assert_eq!(group.receive(3, 1000, 1200), None);
    assert_eq!(group.receive(3, 1020, 1300), Some(300));
    assert_eq!(group.receive(3, 1020, 1400), None);
}

#[test]
fn buckets_are_narrow_and_in_order() {
    let mut time = 0;
    while time < 1 << 36 {
        let found = bucket(time);

        assert!(lowest(found) <= time && time < lowest(found + 1), "{time}");
        assert!(
            (time - lowest(found)) as f64 <= time as f64 / 128.0,
            "{time}"
        );
        time += 1 + time / 1000;
    }
    assert_eq!(bucket(u64::MAX), BUCKETS - 1);
}
