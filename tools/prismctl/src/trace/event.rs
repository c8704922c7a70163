// SPDX-License-Identifier: GPL-2.0

//! An event, as a line of `trace_pipe` has it.

use std::collections::BTreeMap;

/// What a line tells.
#[derive(Debug, PartialEq)]
pub(super) enum Line {
    /// Something that became of a packet.
    Event(Event),
    /// So many events found no room.
    Lost(u64),
}

/// Something that became of a packet.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    /// Its kind: `classify`, `deliver`, `fallback`, `demote`, `drop`.
    pub(super) kind: String,
    /// In microseconds since the host started.
    pub(super) us: u64,
    pub(super) cpu: u32,
    /// All fields, by name.
    pub(super) fields: BTreeMap<String, String>,
}

impl Event {
    /// A field; empty where it is not there.
    pub(super) fn get(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

/// What a line tells, if it is one of ours or says that some were lost.
///
/// Such as `  ping-712  [001] b.s3.  12.345678: prism_drop: skbaddr=... reason=purged`. What comes first
/// is a name that a task chose, so it is looked for from the end on. Names of rules and devices, which others
/// chose, have no spaces in them as the kernel has those, though they may have others.
pub(super) fn parse(line: &str) -> Option<Line> {
    if let Some(lost) = lost(line) {
        return Some(Line::Lost(lost));
    }
    let (head, event) = line.rsplit_once(": prism_")?;
    let (kind, fields) = event.split_once(": ")?;
    let mut words = head.split_ascii_whitespace().rev();
    let us = microseconds(words.next()?)?;
    let cpu = words.find_map(|word| word.strip_prefix('[')?.strip_suffix(']')?.parse().ok())?;
    let field = |word: &str| {
        let (name, value) = word.split_once('=')?;

        Some((name.to_owned(), value.to_owned()))
    };

    Some(Line::Event(Event {
        kind: kind.to_owned(),
        us,
        cpu,
        fields: fields.split_ascii_whitespace().filter_map(field).collect(),
    }))
}

/// `CPU:1 [LOST 123 EVENTS]`
fn lost(line: &str) -> Option<u64> {
    let (_, rest) = line.strip_prefix("CPU:")?.split_once("[LOST ")?;

    rest.split_whitespace().next()?.parse().ok()
}

/// `12.345678`
fn microseconds(text: &str) -> Option<u64> {
    let (seconds, fraction) = text.split_once('.')?;

    if fraction.len() != 6 {
        return None;
    }
    let (seconds, fraction): (u64, u64) = (seconds.parse().ok()?, fraction.parse().ok()?);
    seconds.checked_mul(1_000_000)?.checked_add(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read() {
        let line = "    my : task-712     [001] b.s3.    12.345678: prism_fallback: skbaddr=00000000abc hash=01 vni=-1 \
                    protocol=17 source=[fd00::1]:7 destination=[fd00::2]:5001 stage=tunnel reason=kernel_vni";
        let Some(Line::Event(event)) = parse(line) else {
            panic!()
        };

        assert_eq!(
            (event.kind.as_str(), event.us, event.cpu),
            ("fallback", 12_345_678, 1)
        );
        assert_eq!(event.get("destination"), "[fd00::2]:5001");
        assert_eq!(event.get("reason"), "kernel_vni");
        assert_eq!(event.get("rule"), "");
    }

    #[test]
    fn no_rule_is_an_empty_value() {
        let line = "  x-1 [000] b.s3. 1.000001: prism_classify: skbaddr=1 rule= class=normal";
        let Some(Line::Event(event)) = parse(line) else {
            panic!()
        };

        assert_eq!((event.get("rule"), event.get("class")), ("", "normal"));
    }

    #[test]
    fn names_that_others_chose_tell_nothing() {
        let line = "  x: prism_drop: y-712  [001] b.s3. 12.345678: prism_deliver: skbaddr=1 to=tunnel dev=a\u{2003}to=queue";
        let Some(Line::Event(event)) = parse(line) else {
            panic!()
        };

        assert_eq!(
            (event.kind.as_str(), event.us, event.cpu),
            ("deliver", 12_345_678, 1)
        );
        assert_eq!(event.get("to"), "tunnel");
        assert_eq!(event.get("dev"), "a\u{2003}to=queue");
    }

    #[test]
    fn lost_events_are_told() {
        assert_eq!(parse("CPU:1 [LOST 123 EVENTS]"), Some(Line::Lost(123)));
    }

    #[test]
    fn others_are_passed_over() {
        for line in [
            "",
            "# tracer: nop",
            "CPU:1 [LOST EVENTS]",
            "  x-1 [000] b.s3. 1.0001: prism_drop: reason=purged",
            "  x-1 [zero] b.s3. 1.000001: prism_drop: reason=purged",
            "  x-1 [000] b.s3. 1.000001: netif_rx: dev=lo",
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
