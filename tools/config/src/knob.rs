// SPDX-License-Identifier: GPL-2.0

//! The knobs: files in `/sys/kernel/prism` that are read and written.

use std::{
    collections::BTreeSet,
    fmt, //
};

use crate::{
    rule::parse_bool,
    text::{
        meant,
        Quoted, //
    },
};

/// A knob.
#[derive(Debug, PartialEq, Eq)]
pub struct Knob {
    /// The name of its file.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Its value when the module is loaded.
    pub default: &'static str,
    /// What it is for, in a line.
    pub what: &'static str,
}

/// What a knob takes.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// One of these words.
    Word(&'static [&'static str]),
    /// On or off, shown as 1 or 0.
    Switch,
    /// A number in that range, both ends included.
    Number(u32, u32),
    /// The same, or zero.
    NumberOrZero(u32, u32),
    /// `off` or a number.
    Priority,
    /// `auto` or names of network devices.
    Devices,
}

const CLASSES: &[&str] = &["high", "interactive", "normal", "bulk"];

/// All knobs. Those that turn something on come last.
pub const KNOBS: [Knob; 14] = [
    knob(
        "devices",
        Kind::Devices,
        "auto",
        "devices whose packets are classified",
    ),
    knob(
        "priority_high",
        Kind::Priority,
        "6",
        "skb->priority of packets of class high",
    ),
    knob(
        "accelerate",
        Kind::Word(CLASSES),
        "high",
        "the lowest class that takes the mode's way",
    ),
    knob(
        "quantum",
        Kind::Number(1, 64),
        "2",
        "packets in a turn while there is high traffic",
    ),
    knob(
        "recent_us",
        Kind::Number(0, 10_000_000),
        "10000",
        "for how long that holds",
    ),
    knob(
        "limit",
        Kind::Number(1, 1_000_000),
        "1000",
        "packets that may wait on a CPU",
    ),
    knob(
        "limit_bytes",
        Kind::Number(1 << 16, 1 << 30),
        "4194304",
        "their bytes",
    ),
    knob(
        "weight_interactive",
        Kind::Number(1, 1000),
        "8",
        "share of class interactive",
    ),
    knob(
        "weight_normal",
        Kind::Number(1, 1000),
        "4",
        "share of class normal",
    ),
    knob(
        "weight_bulk",
        Kind::Number(1, 1000),
        "1",
        "share of class bulk",
    ),
    knob(
        "high_share",
        Kind::Number(1, 100),
        "90",
        "per cent that may be high while others wait",
    ),
    knob(
        "receiver_slice_us",
        Kind::NumberOrZero(100, 100_000),
        "0",
        "time slice of tasks that receive packets of class high",
    ),
    knob(
        "isolate",
        Kind::Switch,
        "0",
        "what is not of class high waits, by class",
    ),
    knob(
        "mode",
        Kind::Word(&["off", "batch", "sync", "express"]),
        "off",
        "what becomes of packets of class high",
    ),
];

const fn knob(name: &'static str, kind: Kind, default: &'static str, what: &'static str) -> Knob {
    Knob {
        name,
        kind,
        default,
        what,
    }
}

/// What a knob takes, where it was given something else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct Expected(String);

/// There is no such knob.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no knob is called {0}")]
pub struct NoKnob(String);

impl Knob {
    /// The knob of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        KNOBS.iter().find(|knob| knob.name == name)
    }

    /// The knob that a user calls that.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn find(name: &str) -> Result<&'static Self, NoKnob> {
        let known = KNOBS.iter().map(|knob| knob.name);

        Self::named(name).ok_or_else(|| NoKnob(format!("{}{}", Quoted(name), meant(name, known))))
    }

    /// The value that the module shows as `text`. Where none of the devices that were chosen is there,
    /// it shows none, which cannot be written.
    ///
    /// # Errors
    ///
    /// What it could show instead.
    pub fn shown(&self, text: &str) -> Result<String, Expected> {
        match &self.kind {
            Kind::Devices if text.trim().is_empty() => Ok(String::new()),
            _ => self.check(text),
        }
    }

    /// The value that `text` stands for, as the module shows it but for the devices that `auto` means
    /// now.
    ///
    /// # Errors
    ///
    /// What the knob takes instead. A name that no device has is found out when it is written.
    pub fn check(&self, text: &str) -> Result<String, Expected> {
        let text = text.trim();
        let expected = || Expected(self.kind.to_string());

        match &self.kind {
            Kind::Word(words) => words.contains(&text).then(|| text.to_owned()),
            Kind::Switch => parse_bool(text).ok().map(|on| u8::from(on).to_string()),
            Kind::Number(least, most) => number(text, *least, *most),
            Kind::NumberOrZero(least, most) => {
                number(text, 0, 0).or_else(|| number(text, *least, *most))
            }
            Kind::Priority if text == "off" => Some(text.to_owned()),
            Kind::Priority => number(text, 0, u32::MAX),
            Kind::Devices => devices(text),
        }
        .ok_or_else(expected)
    }
}

/// A decimal number without a sign, in that range.
fn number(text: &str, least: u32, most: u32) -> Option<String> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let number: u32 = text.parse().ok().filter(|_| is_plain)?;

    (least..=most).contains(&number).then(|| number.to_string())
}

/// Names behind `auto` only say what that means now. The order of names means nothing.
fn devices(text: &str) -> Option<String> {
    let mut words = text
        .split([' ', ',', '\n', '\t'])
        .filter(|name| !name.is_empty())
        .peekable();
    // IFNAMSIZ less the zero; the rest as dev_valid_name() has it.
    let is_name = |name: &&str| name.len() < 16 && !name.contains(['/', ':']);

    if words.peek() == Some(&"auto") {
        return Some("auto".to_owned());
    }
    let names: BTreeSet<&str> = words.collect();
    // In order it would come to stand in front.
    if names.contains("auto") {
        return None;
    }
    (!names.is_empty() && names.iter().all(is_name))
        .then(|| names.into_iter().collect::<Vec<_>>().join(" "))
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(words) => match words.split_last() {
                Some((last, others)) => write!(f, "{} or {last}", others.join(", ")),
                None => Ok(()),
            },
            Self::Switch => f.write_str("on or off"),
            Self::Number(least, most) => write!(f, "a number from {least} to {most}"),
            Self::NumberOrZero(least, most) => write!(f, "0 or a number from {least} to {most}"),
            Self::Priority => write!(f, "off or a number from 0 to {}", u32::MAX),
            Self::Devices => f.write_str("auto or names of network devices"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Class;

    fn check(name: &str, text: &str) -> Result<String, String> {
        Knob::named(name)
            .unwrap()
            .check(text)
            .map_err(|why| why.to_string())
    }

    #[test]
    fn defaults_are_values() {
        for knob in &KNOBS {
            assert_eq!(
                knob.check(knob.default).as_deref(),
                Ok(knob.default),
                "{}",
                knob.name
            );
        }
    }

    #[test]
    fn ends_of_ranges() {
        for knob in &KNOBS {
            let (Kind::Number(least, most) | Kind::NumberOrZero(least, most)) = knob.kind else {
                continue;
            };

            assert!(knob.check(&least.to_string()).is_ok(), "{}", knob.name);
            assert!(knob.check(&most.to_string()).is_ok(), "{}", knob.name);
            assert!(knob.check(&(u64::from(most) + 1).to_string()).is_err());
            assert!(least < 2 || knob.check(&(least - 1).to_string()).is_err());
        }
        assert_eq!(check("receiver_slice_us", "0"), Ok("0".into()));
    }

    #[test]
    fn values_are_as_the_module_shows_them() {
        assert_eq!(check("isolate", "on"), Ok("1".into()));
        assert_eq!(check("isolate", " No \n"), Ok("0".into()));
        assert_eq!(check("devices", "auto eth0 eth1\n"), Ok("auto".into()));
        assert_eq!(check("devices", "eth1, eth0"), Ok("eth0 eth1".into()));
        assert_eq!(check("priority_high", "off"), Ok("off".into()));
    }

    #[test]
    fn devices_may_all_be_gone() {
        assert_eq!(
            Knob::named("devices").unwrap().shown("\n"),
            Ok(String::new())
        );
        assert!(Knob::named("mode").unwrap().shown("").is_err());
    }

    #[test]
    fn what_is_expected_is_said() {
        let cases = [
            ("mode", "fast", "expected off, batch, sync or express"),
            ("isolate", "2", "expected on or off"),
            ("quantum", "+4", "expected a number from 1 to 64"),
            ("quantum", "", "expected a number from 1 to 64"),
            (
                "receiver_slice_us",
                "99",
                "expected 0 or a number from 100 to 100000",
            ),
            (
                "priority_high",
                "-1",
                "expected off or a number from 0 to 4294967295",
            ),
            ("devices", " ", "expected auto or names of network devices"),
            (
                "devices",
                "a/b",
                "expected auto or names of network devices",
            ),
            (
                "devices",
                "eth0 auto",
                "expected auto or names of network devices",
            ),
        ];

        for (name, text, expected) in cases {
            assert_eq!(check(name, text), Err(expected.into()), "{name}={text}");
        }
    }

    /// The module's source: its knobs, what they are at first, and what their ranges are told by.
    const MODULE: &str = concat!(
        include_str!("../../../prism/control/knobs.rs"),
        include_str!("../../../prism/config.rs"),
        include_str!("../../../prism/classify/drr.rs"),
    );

    /// What stands there between `start` and the next `end`.
    fn between(start: &str, end: &str) -> &'static str {
        MODULE
            .split_once(start)
            .and_then(|(_, rest)| rest.split_once(end))
            .unwrap_or_else(|| panic!("\"{start}\" is not there"))
            .0
    }

    /// A number that is written there, or has a name.
    fn number_there(text: &str) -> u32 {
        if let Some((number, bits)) = text.split_once(" << ") {
            return number_there(number) << number_there(bits);
        }
        text.replace('_', "")
            .parse()
            .unwrap_or_else(|_| number_there(between(&format!("const {text}: u32 = "), ";")))
    }

    /// What the module has as the ranges of its numbers: names, what each number is there, and both ends.
    fn ranges_there() -> Vec<[&'static str; 4]> {
        let range = |text: &'static str| {
            let (arguments, _) = text.split_once(')').unwrap();
            let mut words = arguments.split(',').map(str::trim);

            let name = words.next().and_then(|name| name.split('"').nth(1));
            let [number, least, most] = [(); 3].map(|()| words.next().unwrap());

            [name.unwrap(), number, least, most]
        };

        between("static RANGES", "];")
            .split("Range::new(")
            .skip(1)
            .map(range)
            .collect()
    }

    /// What a number is there when the module is loaded: `&LIMIT`, or one of several, such as `&WEIGHTS[0]`.
    fn default_there(number: &str) -> u32 {
        let name = number.trim_start_matches("|| &").trim_end_matches(']');
        let (name, place) = name.split_once('[').unwrap_or((name, "0"));
        let place: usize = place.parse().unwrap();
        let all = between(&format!("static {name}: "), ";\n");
        let one = all.split("Number::new(").nth(place + 1).unwrap();

        number_there(one.split(')').next().unwrap())
    }

    /// The kernel's side: the names in the module's source are the names here.
    #[test]
    fn all_of_the_module_are_known() {
        // These are no part of a configuration.
        let others = ["receivers", "broken", "provoke"];
        let named = between("fn name(knob: Knob)", "fn is_writable").split("=> c");
        let mut names: Vec<&str> = named
            .skip(1)
            .map(|rest| rest.split('"').nth(1).unwrap())
            .filter(|name| !others.contains(name))
            .collect();
        names.extend(ranges_there().iter().map(|[name, ..]| name));
        names.sort_unstable();
        let mut known = KNOBS.map(|knob| knob.name);
        known.sort_unstable();
        assert_eq!(names, known);
    }

    #[test]
    fn ranges_and_defaults_are_the_module_s() {
        for [name, number, least, most] in ranges_there() {
            let knob = Knob::named(name).unwrap();

            assert_eq!(
                knob.kind,
                Kind::Number(number_there(least), number_there(most)),
                "{name}"
            );
            assert_eq!(knob.default, default_there(number).to_string(), "{name}");
        }
        let (least, most) = between("const SLICES_US: RangeInclusive<u32> = ", ";")
            .split_once("..=")
            .unwrap();
        assert_eq!(
            Knob::named("receiver_slice_us").unwrap().kind,
            Kind::NumberOrZero(number_there(least), number_there(most))
        );
        let priority = between("static PRIORITY_HIGH: Priority = Priority::new(", ")");
        assert_eq!(
            Knob::named("priority_high").unwrap().default,
            number_there(priority).to_string()
        );
    }

    #[test]
    fn words_are_the_module_s() {
        for name in ["mode", "priority_high"] {
            let knob = Knob::named(name).unwrap();

            assert!(
                MODULE.contains(&format!("\"expected {}\"", knob.kind)),
                "{name}"
            );
        }
        assert_eq!(CLASSES, Class::ALL.map(|class| class.to_string()));
    }
}
