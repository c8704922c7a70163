// SPDX-License-Identifier: GPL-2.0

use proptest::prelude::*;

use super::*;
use crate::rule::Field;

/// What is wrong with `text`, a line each.
fn problems(text: &str) -> Vec<String> {
    match text.parse::<State>() {
        Ok(_) => Vec::new(),
        Err(Problems(problems)) => problems
            .iter()
            .map(|it| format!("{}:{}: {}", it.line, it.column, it.what))
            .collect(),
    }
}

#[test]
fn a_file_is_read() {
    let state: State = "
mode = 'express'
isolate = true
quantum = 4
devices = ['eth1', 'eth0']

[rules.cache]
vni = 42
protocol = 'tcp'
destination = '192.0.2.7'
destination_port = '6379-6399'
dscp = 'ef'
rate = 50000

[rules.'a.b:c']
source = '2001:db8::/32'
class = 'bulk'
enabled = false
"
    .parse()
    .unwrap();

    assert_eq!(state.knobs.len(), 4);
    assert_eq!(state.knobs["isolate"], "1");
    assert_eq!(state.knobs["devices"], "eth0 eth1");
    let cache = &state.rules["cache"];
    assert!(cache.enabled);
    assert_eq!(
        Field::ALL.map(|field| field.of(cache).to_string()),
        [
            "42",
            "tcp",
            "any",
            "192.0.2.7/32",
            "any",
            "6379-6399",
            "46",
            "high",
            "50000",
            "auto"
        ]
    );
    assert!(!state.rules["a.b:c"].enabled);
}

#[test]
fn an_empty_file_has_nothing() {
    assert_eq!("# Nothing.\n".parse(), Ok(State::default()));
}

#[test]
fn problems_have_a_place() {
    let cases = [
        ("mode = 'fast'", "1:8: mode: expected off, batch, sync or express"),
        ("\n\tmod = 'sync'", "2:2: no knob is called \"mod\"; is it mode?"),
        ("quantum = 1.5", "1:11: quantum: expected a number from 1 to 64"),
        ("quantum = -1", "1:11: quantum: expected a number from 1 to 64"),
        ("mode = ", "1:8: string values must be quoted, expected literal string"),
        ("limit = 1\nlimit = 2", "2:1: duplicate key"),
        ("rules = 3", "1:1: expected a table for each rule, such as [rules.cache]"),
        ("[rules]\ncache = 3", "2:9: rule cache: expected a table of its fields"),
        ("[rules.'a b']\nvni = 1", "1:8: rule \"a b\": a name has letters, digits and _.:- and does not start with a dot"),
        ("[rules.a]\nvni = 16777216", "2:7: rule a, vni: expected any, none or a VNI from 0 to 16777215"),
        ("[rules.a]\nprotocol = []", "2:12: rule a, protocol: expected any, tcp, udp, sctp, icmp, icmpv6 or a number from 0 to 255"),
        ("[rules.a]\ndestinations = '::1'", "2:1: rule a, no field is called \"destinations\"; is it destination?"),
        ("[rules.a]\nsource = '192.0.2.1/24'", "2:10: rule a, source: 192.0.2.1 has bits set outside of 192.0.2.0/24"),
        ("[rules.a]\ndestination_port = 80", "1:8: rule a: ports need protocol tcp, udp or sctp"),
        ("[rules.a]\nclass = 'high'", "1:8: rule a: no field is set that matches a packet"),
        ("[rules.a]\nvni = 1\nenabled = 7", "3:11: rule a, enabled: expected true or false"),
        ("[rules.ä]\n", "1:8: invalid unquoted key, expected letters, numbers, `-`, `_`"),
    ];

    for (text, expected) in cases {
        let found = problems(text);

        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert_eq!(found[0], expected, "{text}");
    }
}

#[test]
fn all_problems_are_told() {
    let found = problems("mode = 1\n[rules.a]\nvni = 'x'\nrate = 'y'\n[rules.b]\nsource = 'z'\n");

    assert_eq!(found.len(), 4, "{found:?}");
    assert!(found.is_sorted(), "{found:?}");
}

// toml_edit 0.23 panicked on these.
#[test]
fn what_is_no_toml_is_told() {
    for text in ["==\n[.", "==\n[._[._", "={=<=u=="] {
        assert!(!problems(text).is_empty(), "{text}");
    }
}

#[test]
fn a_problem_shows_its_line() {
    let Problems(problems) = "\tquantum = 'ä' # ö".parse::<State>().unwrap_err();

    assert_eq!(
        problems[0].to_string(),
        "1:12: quantum: expected a number from 1 to 64\n    \tquantum = 'ä' # ö\n    \t          ^"
    );
}

#[test]
fn terminals_obey_no_file() {
    let problem = Problem {
        line: 1,
        column: 8,
        what: "a \u{7}bell".to_owned(),
        text: "#\u{1b}[2J\t'\u{9b}A'".to_owned(),
    };

    assert_eq!(
        problem.to_string(),
        "1:8: a \\u{7}bell\n    #\\u{1b}[2J\t'\\u{9b}A'\n              \t ^"
    );
}

#[test]
fn names_of_the_daemon_are_not_for_files() {
    let file = "[rules.'docker:a']\nvni = 1";
    let Problems(problems) = State::from_file(file.as_bytes()).unwrap_err();

    assert_eq!(
        problems[0].to_string().lines().next(),
        Some("1:8: rule docker:a: names that begin with docker: are those of prismd's rules")
    );
    assert_eq!(problems.len(), 1);
    assert!(file.parse::<State>().is_ok());
}

#[test]
fn what_is_no_text_has_its_place() {
    let Problems(problems) = State::from_file(b"# \xc3\xbc\nmode = \"\xfc\"\n").unwrap_err();

    assert_eq!(
        problems[0].to_string(),
        "2:9: this is not UTF-8\n    mode = \"\u{fffd}\"\n            ^"
    );
    assert_eq!(problems.len(), 1);
}

#[test]
fn what_is_off_need_not_be_good_for_anything() {
    assert_eq!(problems("[rules.a]\nenabled = false"), Vec::<String>::new());
}

/// A value of a field, or what is none.
fn value(field: Field) -> BoxedStrategy<String> {
    let word = Just("any".to_owned());

    match field {
        Field::Vni => prop_oneof![
            word,
            Just("none".to_owned()),
            (0u32..1 << 24).prop_map(|n| n.to_string())
        ]
        .boxed(),
        Field::Protocol => prop_oneof![word, Just("udp".to_owned()), any_number(255)].boxed(),
        Field::Source | Field::Destination => prop_oneof![
            word,
            any::<std::net::Ipv4Addr>().prop_map(|it| it.to_string()),
            any::<std::net::Ipv6Addr>().prop_map(|it| it.to_string()),
        ]
        .boxed(),
        Field::SourcePort | Field::DestinationPort => prop_oneof![
            word,
            (1u32..65536).prop_map(|n| n.to_string()),
            Just("5-7".to_owned())
        ]
        .boxed(),
        Field::Dscp => prop_oneof![word, any_number(63), Just("af41".to_owned())].boxed(),
        Field::Class => prop_oneof![Just("high"), Just("interactive"), Just("bulk")]
            .prop_map(str::to_owned)
            .boxed(),
        Field::Rate => any_number(1_000_000_000),
        Field::Gro => prop_oneof![Just("auto"), Just("keep")]
            .prop_map(str::to_owned)
            .boxed(),
    }
}

fn any_number(most: u32) -> BoxedStrategy<String> {
    (0..=most).prop_map(|n| n.to_string()).boxed()
}

/// A rule that may be enabled, or is not.
fn rule() -> impl Strategy<Value = Rule> {
    let values: Vec<_> = Field::ALL.iter().map(|field| value(*field)).collect();

    (values, any::<bool>()).prop_map(|(values, enabled)| {
        let mut rule = new_rule();

        for (field, text) in Field::ALL.iter().zip(&values) {
            field.set(&mut rule, text).unwrap();
        }
        rule.enabled = enabled && rule.flows.validate().is_ok();
        rule
    })
}

/// Rules with names, and all knobs as they are at first.
pub(crate) fn state() -> impl Strategy<Value = State> {
    prop::collection::btree_map("[a-zA-Z0-9_:-][a-zA-Z0-9_.:-]{0,8}", rule(), 0..6).prop_map(
        |rules| State {
            rules,
            knobs: KNOBS
                .iter()
                .map(|knob| (knob.name, knob.default.to_owned()))
                .collect(),
        },
    )
}

#[test]
fn names_of_devices_are_read_back() {
    for name in ["eth0", "007", "7", r#"a"b"#, r"a\b", "a'b"] {
        let state = State {
            knobs: [("devices", name.to_owned())].into(),
            ..State::default()
        };
        let file = state.to_file();

        assert_eq!(file.parse(), Ok(state), "{file}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(state in state()) {
        let file = state.to_file();

        prop_assert_eq!(file.parse(), Ok(state), "{}", file);
    }

    #[test]
    fn no_text_makes_it_panic(text in "(mode|isolate|[a-z]{1,4}|=|'|\"|\\[|\\]|\\.|rules|\n|[0-9]|\\PC){0,40}") {
        let _ = text.parse::<State>();
    }
}
