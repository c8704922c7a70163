// SPDX-License-Identifier: GPL-2.0

//! The text forms of rules, and which rules are valid.

mod common;

use std::{
    fmt::{
        Debug,
        Display, //
    },
    net::{
        Ipv4Addr,
        Ipv6Addr, //
    },
    str::FromStr, //
};

use common::{
    cases,
    rules::fields, //
};
use prism_host::classify::{
    rule::{
        check_name,
        parse_bool,
        AddressMatch,
        DscpMatch,
        Error,
        Gro,
        Match,
        PortMatch,
        Ports,
        Prefix,
        ProtocolMatch,
        Rate,
        VniMatch, //
    },
    Class,
    Protocol,
    Rule,
    Vni, //
};
use proptest::prelude::*;

/// Asserts that each text on the left is accepted and displayed as on the right.
fn accepts<T: FromStr<Err = Error> + Display>(cases: &[(&str, &str)]) {
    for (text, shown) in cases {
        match text.parse::<T>() {
            Ok(value) => assert_eq!(value.to_string(), *shown, "{text:?}"),
            Err(error) => panic!("{text:?}: {error}"),
        }
    }
}

/// Asserts that each text is refused because something else was expected.
fn refuses<T: FromStr<Err = Error> + Debug>(texts: &[&str]) {
    for text in texts {
        match text.parse::<T>() {
            Err(Error::Expected(_)) => {}
            other => panic!("{text:?}: {other:?}"),
        }
    }
}

/// What no field accepts.
const NONSENSE: [&str; 18] = [
    "",
    "\n",
    " ",
    "any,",
    "ANY",
    "any any",
    "-1",
    "+1",
    "0x1",
    "01",
    "1.0",
    "1\n\n",
    "\n1",
    "\t1",
    "1\r\n",
    "1\0",
    "٣",
    "18446744073709551616",
];

#[test]
fn vni() {
    accepts::<VniMatch>(&[
        ("any", "any"),
        ("any\n", "any"),
        ("  any  \n", "any"),
        ("none", "none"),
        ("0", "0"),
        ("42\n", "42"),
        ("16777215", "16777215"),
    ]);
    refuses::<VniMatch>(&["16777216", "4294967296", "1-2", "None", "*"]);
    refuses::<VniMatch>(&NONSENSE);
}

#[test]
fn protocol() {
    accepts::<ProtocolMatch>(&[
        ("any", "any"),
        ("tcp", "tcp"),
        ("6", "tcp"),
        ("17\n", "udp"),
        ("132", "sctp"),
        ("icmp", "icmp"),
        ("58", "icmpv6"),
        ("0", "0"),
        ("47", "47"),
        ("255", "255"),
    ]);
    refuses::<ProtocolMatch>(&["256", "TCP", "tcp udp", "ipv6-icmp"]);
    refuses::<ProtocolMatch>(&NONSENSE);
}

#[test]
fn dscp() {
    accepts::<DscpMatch>(&[
        ("any", "any"),
        ("0", "0"),
        ("63", "63"),
        ("ef", "46"),
        ("cs0", "0"),
        ("cs7\n", "56"),
        ("af11", "10"),
        ("af43", "38"),
        ("va", "44"),
        ("le", "1"),
    ]);
    refuses::<DscpMatch>(&["64", "256", "EF", "cs8", "af14", "af51", "be"]);
    refuses::<DscpMatch>(&NONSENSE);

    for class in 1..=4 {
        for drop in 1..=3 {
            let name = format!("af{class}{drop}");
            let codepoint = (8 * class + 2 * drop).to_string();
            accepts::<DscpMatch>(&[(name.as_str(), codepoint.as_str())]);
        }
    }
    for class in 0..=7 {
        let codepoint = (8 * class).to_string();
        accepts::<DscpMatch>(&[(format!("cs{class}").as_str(), codepoint.as_str())]);
    }
}

#[test]
fn class_and_rate() {
    accepts::<Class>(&[
        ("high", "high"),
        ("interactive\n", "interactive"),
        (" normal", "normal"),
        ("bulk", "bulk"),
    ]);
    refuses::<Class>(&["High", "highest", "0"]);
    refuses::<Class>(&NONSENSE);
    accepts::<Gro>(&[("auto", "auto"), ("bypass\n", "bypass"), (" keep ", "keep")]);
    refuses::<Gro>(&["Auto", "on", "1"]);
    refuses::<Gro>(&NONSENSE);
    for (index, class) in Class::ALL.iter().enumerate() {
        assert_eq!(class.index(), index);
    }

    accepts::<Rate>(&[("0", "0"), ("1\n", "1"), ("1000000000", "1000000000")]);
    refuses::<Rate>(&["1000000001", "4294967296", "any", "1k"]);
    refuses::<Rate>(&NONSENSE);
}

#[test]
fn enabled() {
    for text in [
        "1", "1\n", " 1 ", "y", "Y", "yes", "t", "True", "on", "ON\n",
    ] {
        assert_eq!(parse_bool(text), Ok(true), "{text:?}");
    }
    for text in ["0", "0\n", "n", "N", "No", "f", "false", "off"] {
        assert_eq!(parse_bool(text), Ok(false), "{text:?}");
    }
    for text in ["", "\n", "2", "10", "o", "yess", "1 1", "-1", "1\n\n"] {
        assert!(parse_bool(text).is_err(), "{text:?}");
    }
}

#[test]
fn ports() {
    accepts::<PortMatch>(&[
        ("any", "any"),
        ("1", "1"),
        ("65535", "65535"),
        ("80-90\n", "80-90"),
        ("80-80", "80"),
        ("1-65535", "1-65535"),
    ]);
    refuses::<PortMatch>(&[
        "65536",
        "80-",
        "-80",
        "80-90-100",
        "80 - 90",
        "80,90",
        "80:90",
        "http",
    ]);
    refuses::<PortMatch>(&NONSENSE);

    for text in ["0", "0-0", "0-10", "10-0"] {
        assert_eq!(text.parse::<PortMatch>(), Err(Error::PortZero), "{text:?}");
    }
    let reversed = "90-80".parse::<PortMatch>().unwrap_err();
    assert_eq!(reversed.to_string(), "port range 90-80 is reversed");
}

#[test]
fn addresses() {
    accepts::<AddressMatch>(&[
        ("any", "any"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("10.0.0.0/8\n", "10.0.0.0/8"),
        ("10.1.2.3", "10.1.2.3/32"),
        ("255.255.255.255/32", "255.255.255.255/32"),
        ("128.0.0.0/1", "128.0.0.0/1"),
        ("::/0", "::/0"),
        ("::", "::/128"),
        ("::1", "::1/128"),
        ("fd00::/8", "fd00::/8"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("2001:0db8:0:0:0:0:0:1", "2001:db8::1/128"),
        ("fe80::/64", "fe80::/64"),
        ("fe80:0:0:1::/65", "fe80:0:0:1::/65"),
        ("8000::/1", "8000::/1"),
        ("::ffff:10.0.0.0/104", "::ffff:10.0.0.0/104"),
    ]);
    refuses::<AddressMatch>(&[
        "10.0.0/8",
        "10.0.0.0.0",
        "10.0.0.0/",
        "/8",
        "10.0.0.256",
        "010.0.0.0/8",
        "10.0.0.00",
        "10.0.0.0/08",
        "10.0.0.0/+8",
        "10.0.0.0/-1",
        "10.0.0.0 /8",
        "10.0.0.0/8/8",
        "0x0a000000",
        "fd00:::",
        "fd00::1::",
        "fd00",
        ":1",
        "1:",
        "12345::",
        "g::",
        "fe80::1%eth0",
        "[::1]",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "::10.0.0",
        "10.0.0.0/255.0.0.0",
        "localhost",
    ]);
    refuses::<AddressMatch>(&NONSENSE);
}

#[test]
fn prefixes_that_are_too_long() {
    for (text, max) in [
        ("10.0.0.0/33", 32),
        ("10.0.0.0/256", 32),
        ("10.0.0.0/99999", 32),
        ("fd00::/129", 128),
    ] {
        let error = text.parse::<Prefix>().unwrap_err();
        assert_eq!(error, Error::PrefixLength { max }, "{text:?}");
    }
}

#[test]
fn host_bits_are_named() {
    for (text, message) in [
        ("10.1.0.0/8", "10.1.0.0 has bits set outside of 10.0.0.0/8"),
        (
            "10.0.0.1/31",
            "10.0.0.1 has bits set outside of 10.0.0.0/31",
        ),
        ("0.0.0.1/0", "0.0.0.1 has bits set outside of 0.0.0.0/0"),
        ("fd00::1/64", "fd00::1 has bits set outside of fd00::/64"),
        ("fd00::1/127", "fd00::1 has bits set outside of fd00::/127"),
        ("8000::/0", "8000:: has bits set outside of ::/0"),
    ] {
        let error = text.parse::<Prefix>().unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn names() {
    for name in ["a", "web-1", "A.b:c_d", "0", &"x".repeat(63)] {
        assert_eq!(check_name(name.as_bytes()), Ok(()), "{name:?}");
    }
    for name in ["", &"x".repeat(64)] {
        assert_eq!(
            check_name(name.as_bytes()),
            Err(Error::NameLength),
            "{name:?}"
        );
    }
    for name in [".", "..", ".hidden", "a b", "a/b", "a\n", "é", "a\0", "a%"] {
        let result = check_name(name.as_bytes());
        assert_eq!(result, Err(Error::NameCharacters), "{name:?}");
    }
}

#[test]
fn valid_rules() {
    for text in [
        "vni=none",
        "vni=0",
        "protocol=tcp",
        "protocol=icmp",
        "protocol=icmp source=10.0.0.0/8",
        "protocol=icmpv6 destination=fd00::/8",
        "source=0.0.0.0/0",
        "source=::/0 destination=fd00::1",
        "dscp=0",
        "protocol=udp source_port=1-65535",
        "protocol=sctp source_port=1 destination_port=2",
    ] {
        assert_eq!(fields(text).validate(), Ok(()), "{text}");
    }
}

#[test]
fn rules_that_are_not_valid() {
    for (text, error) in [
        ("", Error::NoMatch),
        ("source_port=1", Error::PortsWithoutProtocol),
        ("destination_port=1-2", Error::PortsWithoutProtocol),
        (
            "protocol=icmp destination_port=1",
            Error::PortsWithoutProtocol,
        ),
        ("protocol=47 source_port=1", Error::PortsWithoutProtocol),
        ("source=10.0.0.0/8 destination=fd00::/8", Error::Families),
        (
            "source=::ffff:10.0.0.1 destination=10.0.0.1",
            Error::Families,
        ),
        ("protocol=icmp source=fd00::/8", Error::IcmpFamily),
        ("protocol=icmpv6 destination=10.0.0.1", Error::IcmpFamily),
    ] {
        assert_eq!(fields(text).validate(), Err(error), "{text}");
    }
}

#[test]
fn specificity() {
    for (text, bits) in [
        ("", 0),
        ("vni=none", 24),
        ("vni=0", 24),
        ("protocol=tcp", 8),
        ("dscp=0", 6),
        ("source=0.0.0.0/0", 1),
        ("source=10.0.0.0/8 destination=10.0.0.1", 41),
        ("destination=fd00::/8", 9),
        ("protocol=tcp source_port=80", 24),
        ("protocol=tcp source_port=80-81", 23),
        ("protocol=tcp source_port=81-82", 23),
        ("protocol=tcp source_port=80-82", 22),
        ("protocol=tcp source_port=1-65535", 8),
        ("protocol=tcp source_port=1-1023", 14),
    ] {
        assert_eq!(fields(text).specificity(), bits, "{text}");
    }
}

#[test]
fn a_new_rule_matches_nothing_yet() {
    let rule = Rule::default();

    assert_eq!(rule.flows, Match::ANY);
    assert_eq!(rule.class, Class::Normal);
    assert_eq!(rule.rate, Rate::UNLIMITED);
    assert!(!rule.enabled);
}

/// Asserts that a value comes back from its text, however that is wrapped.
fn comes_back<T: FromStr<Err = Error> + Display + PartialEq + Debug>(value: T) {
    let text = value.to_string();

    for text in [format!("{text}\n"), format!("  {text} \n"), text] {
        assert_eq!(text.parse::<T>().as_ref(), Ok(&value), "{text:?}");
    }
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn text_comes_back(vni in 0..=Vni::MAX, protocol: u8, dscp in 0u8..64, rate in 0..=Rate::MAX) {
        comes_back(VniMatch::Is(Vni::new(vni).unwrap()));
        comes_back(ProtocolMatch::Is(Protocol(protocol)));
        comes_back(dscp.to_string().parse::<DscpMatch>().unwrap());
        comes_back(Rate::new(rate).unwrap());
    }

    #[test]
    fn ports_come_back(one in 1u16.., other in 1u16..) {
        comes_back(PortMatch::In(Ports::new(one.min(other), one.max(other)).unwrap()));
        prop_assert_eq!(Ports::new(one, other).is_ok(), one <= other);
    }

    #[test]
    fn prefixes_come_back(v4: u32, length4 in 0u32..=32, v6: u128, length6 in 0u32..=128) {
        let v4 = v4 & !u32::MAX.checked_shr(length4).unwrap_or(0);
        let v6 = v6 & !u128::MAX.checked_shr(length6).unwrap_or(0);

        comes_back(Prefix::new(Ipv4Addr::from(v4).into(), length4 as u8).unwrap());
        comes_back(AddressMatch::In(
            Prefix::new(Ipv6Addr::from(v6).into(), length6 as u8).unwrap(),
        ));
    }

    /// Whatever is written to a file, it is accepted or refused; what is accepted comes back.
    #[test]
    fn arbitrary_text(text in "[ \n0-9a-fany.:/,x-]{0,24}|\\PC{0,12}") {
        let _ = text.parse().map(comes_back::<VniMatch>);
        let _ = text.parse().map(comes_back::<ProtocolMatch>);
        let _ = text.parse().map(comes_back::<AddressMatch>);
        let _ = text.parse().map(comes_back::<PortMatch>);
        let _ = text.parse().map(comes_back::<DscpMatch>);
        let _ = text.parse().map(comes_back::<Class>);
        let _ = text.parse().map(comes_back::<Gro>);
        let _ = text.parse().map(comes_back::<Rate>);
        let _ = parse_bool(&text);
        let _ = check_name(text.as_bytes());
    }
}
