// SPDX-License-Identifier: GPL-2.0

use proptest::prelude::*;

use super::*;
use prism_config::rule::ProtocolMatch;

fn labels(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// The ports of a container, in words.
fn shown(ranges: &[PortRange]) -> String {
    let words: Vec<String> = ranges
        .iter()
        .map(|range| {
            let ports = PortMatch::In(range.ports);

            format!("{ports}/{}", ProtocolMatch::Is(range.protocol))
        })
        .collect();

    words.join(",")
}

#[test]
fn labels_are_understood() {
    let asked = Asked::new(&labels(&[
        ("io.prism.class", "interactive"),
        ("io.prism.ports", "6379/tcp, 53/udp,8000-8100/tcp"),
        ("io.prism.rate", "50000"),
        ("io.prism.dscp", "ef"),
        ("maintainer", "somebody"),
    ]))
    .unwrap()
    .unwrap();

    assert_eq!(asked.class, Class::Interactive);
    assert_eq!(
        shown(asked.ports.as_deref().unwrap()),
        "6379/tcp,8000-8100/tcp,53/udp"
    );
    assert_eq!(asked.rate.get(), 50000);
    assert_eq!(asked.dscp.to_string(), "46");
}

#[test]
fn without_a_class_nothing_is_asked_for() {
    assert_eq!(
        Asked::new(&labels(&[("io.prism.ports", "nonsense")])),
        Ok(None)
    );
}

#[test]
fn without_ports_all_traffic_is_meant() {
    let asked = Asked::new(&labels(&[("io.prism.class", "high")])).unwrap();

    assert_eq!(asked.unwrap().ports, None);
}

#[test]
fn what_is_wrong_is_told() {
    for (name, value, told) in [
        (
            "io.prism.class",
            "urgent",
            r#"label io.prism.class="urgent": expected high, interactive, normal or bulk"#,
        ),
        (
            "io.prism.ports",
            "6379",
            r#"label io.prism.ports="6379": "6379": expected ports and their protocol, such as 6379/tcp or 8000-8100/udp"#,
        ),
        (
            "io.prism.ports",
            "80/tcp,any/tcp",
            r#"label io.prism.ports="80/tcp,any/tcp": "any/tcp": expected ports and their protocol, such as 6379/tcp or 8000-8100/udp"#,
        ),
        (
            "io.prism.ports",
            "80/icmp",
            r#"label io.prism.ports="80/icmp": "80/icmp": expected ports and their protocol, such as 6379/tcp or 8000-8100/udp"#,
        ),
        (
            "io.prism.ports",
            "0/tcp",
            r#"label io.prism.ports="0/tcp": "0/tcp": port 0 is reserved"#,
        ),
        (
            "io.prism.rate",
            "fast",
            r#"label io.prism.rate="fast": expected packets per second from 1 to 1000000000, or 0 for no limit"#,
        ),
        (
            "io.prism.port",
            "80/tcp",
            r#"label io.prism.port="80/tcp": no label is called that; is it io.prism.ports?"#,
        ),
    ] {
        let bad = Asked::new(&labels(&[("io.prism.class", "high"), (name, value)])).unwrap_err();

        assert_eq!(bad.to_string(), told);
    }
    for (name, value) in [
        ("io.prism.ports", ""),
        ("io.prism.ports", "80/tcp,"),
        ("io.prism.ports", "90-80/tcp"),
        ("io.prism.dscp", "64"),
        ("io.prism.class", ""),
    ] {
        let all = labels(&[("io.prism.class", "high"), (name, value)]);

        assert!(Asked::new(&all).is_err(), "{name}={value}");
    }
}

#[test]
fn what_a_terminal_would_obey_is_visible() {
    let bad = Asked::new(&labels(&[("io.prism.class", "\u{1b}[2J\n")])).unwrap_err();

    assert!(bad.to_string().contains(r#""\u{1b}[2J\n""#), "{bad}");
}

#[test]
fn there_may_not_be_many_ranges() {
    let list = |count: u16| {
        let words: Vec<String> = (1..=count).map(|n| format!("{}/tcp", n * 2)).collect();

        words.join(",")
    };

    assert!(ports(&list(64)).is_ok());
    assert!(ports(&list(65)).is_err());
}

proptest! {
    /// Merged ranges have the same ports, and no two of them touch.
    #[test]
    fn merging_keeps_ports(pairs in prop::collection::vec((1u16..40, 0u16..6, any::<bool>()), 1..12)) {
        let ranges: Vec<PortRange> = pairs
            .iter()
            .map(|(first, more, is_tcp)| PortRange {
                protocol: if *is_tcp { Protocol::TCP } else { Protocol::UDP },
                ports: Ports::new(*first, first + more).unwrap(),
            })
            .collect();
        let mut merged = ranges.clone();

        merge(&mut merged);
        for protocol in [Protocol::TCP, Protocol::UDP] {
            for port in 1..50 {
                let has = |all: &[PortRange]| all.iter().filter(|range| range.has(protocol, port)).count();

                prop_assert_eq!(has(&ranges) > 0, has(&merged) > 0);
                prop_assert!(has(&merged) <= 1);
            }
        }
        for pair in merged.windows(2) {
            prop_assert!(
                pair[0].protocol != pair[1].protocol || pair[0].ports.last() + 1 < pair[1].ports.first()
            );
        }
    }
}
