// SPDX-License-Identifier: GPL-2.0

//! Events of a packet together, and how they are shown.

use std::{
    collections::{
        BTreeMap,
        VecDeque, //
    },
    io::{
        self,
        Write, //
    },
};

use prism_config::Counter;
use serde_json::{
    json,
    Value, //
};

use super::event::Event;
use crate::output::{
    styled,
    visible,
    BAD,
    BOLD,
    GOOD,
    WARN, //
};

/// How long after its last event a packet is taken for gone, in microseconds: it may wait in a queue.
const GONE_US: u64 = 1_000_000;

/// What became of a packet, in order.
pub(super) struct Packet(Vec<Event>);

impl Packet {
    fn first(&self) -> Option<&Event> {
        self.0.first()
    }

    fn last_us(&self) -> u64 {
        self.0.last().map_or(0, |event| event.us)
    }

    /// Whether that is told of another packet, which has its address now.
    fn ends_before(&self, next: &Event) -> bool {
        let is_behind = || match next.kind.as_str() {
            "deliver" => matches!(next.get("to"), "tunnel" | "container" | "driver"),
            "fallback" => next.get("stage") != "entry",
            kind => kind == "drop",
        };

        match self.0.last() {
            // One that is classified anew is another, unless it was held back in between.
            _ if next.kind == "classify" => self.0.iter().any(|event| event.kind == "classify"),
            Some(last) if last.kind == "deliver" => {
                matches!(last.get("to"), "stack" | "gro") && !is_behind()
            }
            _ => false,
        }
    }

    /// Whether nothing more is told of it.
    fn is_over(&self) -> bool {
        self.0
            .last()
            .is_some_and(|event| match event.kind.as_str() {
                "drop" => true,
                "deliver" => match (event.get("to"), event.get("way")) {
                    ("container" | "driver", _) => true,
                    // The kernel has it.
                    ("stack", "kernel") => true,
                    // What has no tunnel may be for the host, or go on to a container; and what goes to GRO may be met
                    // again where it leaves a tunnel, merged with others or not.
                    _ => false,
                },
                // What the driver learns from comes back, and what does not go the short way goes another.
                "fallback" => match event.get("stage") {
                    "entry" => !event.get("reason").starts_with("express_"),
                    "tunnel" => !matches!(event.get("reason"), "kernel_learn" | "kernel_refresh"),
                    _ => true,
                },
                _ => false,
            })
    }

    /// In lines, for people.
    pub(super) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some(first) = self.first() else {
            return Ok(());
        };
        let seconds = format!("{}.{:06}", first.us / 1_000_000, first.us % 1_000_000);
        let vni = match first.get("vni") {
            "-1" => String::new(),
            vni => format!(", vni {vni}"),
        };
        let title = format!(
            "{seconds} cpu {}  {} > {} {}{vni}",
            first.cpu,
            first.get("source"),
            first.get("destination"),
            protocol(first.get("protocol")),
        );

        writeln!(out, "{}", styled(BOLD, title))?;
        for event in &self.0 {
            let us = event.us.saturating_sub(first.us);

            writeln!(out, "{:>10} us  {}", format!("+{us}"), told(event))?;
        }
        Ok(())
    }

    /// All that is known.
    pub(super) fn to_json(&self) -> Value {
        let first = self.first();
        let get = |name: &str| first.map_or("", |event| event.get(name));
        let stages: Vec<Value> = self
            .0
            .iter()
            .map(|event| {
                let own = event.fields.iter().filter(|(name, _)| !is_common(name));
                let mut stage: serde_json::Map<String, Value> = own
                    .map(|(name, text)| (name.clone(), value(name, text)))
                    .collect();

                stage.insert("event".to_owned(), event.kind.as_str().into());
                stage.insert("us".to_owned(), event.us.into());
                stage.insert("cpu".to_owned(), event.cpu.into());
                Value::Object(stage)
            })
            .collect();

        json!({
            "vni": get("vni").parse::<u32>().ok(),
            "protocol": value("protocol", get("protocol")),
            "source": get("source"),
            "destination": get("destination"),
            "hash": get("hash"),
            "stages": stages,
        })
    }
}

/// Whether all events have that field.
fn is_common(name: &str) -> bool {
    matches!(
        name,
        "skbaddr" | "hash" | "vni" | "protocol" | "source" | "destination"
    )
}

/// A field; as a number only where it is one, as names may look like numbers.
fn value(name: &str, text: &str) -> Value {
    match name {
        "protocol" | "dscp" | "len" | "limit" => text
            .parse::<u64>()
            .map_or_else(|_| text.into(), Value::from),
        _ => text.into(),
    }
}

fn protocol(number: &str) -> String {
    match number {
        "1" => "icmp".to_owned(),
        "6" => "tcp".to_owned(),
        "17" => "udp".to_owned(),
        "58" => "icmpv6".to_owned(),
        "132" => "sctp".to_owned(),
        number => format!("protocol {number}"),
    }
}

/// An event in words.
fn told(event: &Event) -> String {
    let get = |name| event.get(name);
    let reason = || {
        let name = get("reason");

        match Counter::named(name) {
            Some(counter) => format!("{name}: {}", counter.what),
            None => name.to_owned(),
        }
    };

    match event.kind.as_str() {
        "classify" => {
            let rule = match get("rule") {
                "" => "no rule names it".to_owned(),
                rule => format!("rule {rule}"),
            };
            let own = match (get("class"), get("own")) {
                (class, own) if class == own => String::new(),
                (_, own) => format!(" instead of {own}"),
            };

            format!(
                "{rule}, class {}{own}; {} bytes from {}",
                get("class"),
                get("len"),
                visible(get("dev"))
            )
        }
        "deliver" => {
            let dev = visible(get("dev"));
            let to = match get("to") {
                "queue" => "waits in the queue of its class".to_owned(),
                "batch" => "waits for the others of its batch".to_owned(),
                "gate" => "is held back, as settings or rules have changed".to_owned(),
                "gro" => "goes to GRO, which may merge it".to_owned(),
                "stack" => "is received".to_owned(),
                "tunnel" => format!("is received by the VXLAN device {dev}"),
                "container" => format!("is received in the container, by {dev}"),
                "driver" => "is the driver's in front of the container".to_owned(),
                to => format!("goes to {to}"),
            };

            match (get("to"), get("way")) {
                ("container", way) => styled(GOOD, format!("{to} ({way})")),
                ("tunnel" | "stack", "kernel") => format!("{to}, by the kernel's way"),
                ("tunnel" | "stack", way) => format!("{to} ({way})"),
                _ => to,
            }
        }
        "fallback" => styled(
            WARN,
            match get("stage") {
                "entry" => format!("not taken: {}", reason()),
                "tunnel" => format!("left to the VXLAN driver: {}", reason()),
                _ => format!("left to the kernel in front of the container: {}", reason()),
            },
        ),
        "demote" => {
            let limit = match get("limit") {
                "0" | "" => String::new(),
                limit => format!(" ({limit})"),
            };

            styled(WARN, format!("loses its class: {}{limit}", reason()))
        }
        "drop" => styled(BAD, format!("dropped: {}", reason())),
        kind => kind.to_owned(),
    }
}

/// Packets of which more may be told.
#[derive(Default)]
pub(super) struct Packets {
    open: BTreeMap<String, Packet>,
    over: VecDeque<Packet>,
}

impl Packets {
    /// Adds an event. What was told of a packet long ago is all of it.
    pub(super) fn add(&mut self, event: Event) {
        let id = event.get("skbaddr").to_owned();

        self.end_gone(event.us);
        if self
            .open
            .get(&id)
            .is_some_and(|packet| packet.ends_before(&event))
        {
            self.over.extend(self.open.remove(&id));
        }
        let packet = self
            .open
            .entry(id.clone())
            .or_insert_with(|| Packet(Vec::new()));

        packet.0.push(event);
        if packet.is_over() {
            self.over.extend(self.open.remove(&id));
        }
    }

    /// Ends packets of which nothing was told for long before `us`.
    pub(super) fn end_gone(&mut self, us: u64) {
        self.end(|packet| packet.last_us() + GONE_US < us);
    }

    /// Ends all packets.
    pub(super) fn end_all(&mut self) {
        self.end(|_| true);
    }

    fn end(&mut self, is_over: impl Fn(&Packet) -> bool) {
        let ids: Vec<String> = self
            .open
            .iter()
            .filter(|(_, packet)| is_over(packet))
            .map(|(id, _)| id.clone())
            .collect();
        let mut over: Vec<Packet> = ids.iter().filter_map(|id| self.open.remove(id)).collect();

        over.sort_by_key(|packet| packet.first().map_or(0, |event| event.us));
        self.over.extend(over);
    }

    /// The next of which all is told.
    pub(super) fn next(&mut self) -> Option<Packet> {
        self.over.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::event::{
            parse,
            Line, //
        },
        *,
    };

    fn packets(lines: &[(u64, &str, &str)]) -> Packets {
        let mut packets = Packets::default();

        for (us, skb, rest) in lines {
            let (kind, fields) = rest.split_once(' ').unwrap();
            let line = format!(
                "  a-1 [000] ..s1. 0.{us:06}: prism_{kind}: skbaddr={skb} hash=1 vni=100 protocol=17 \
                 source=10.0.0.2:1 destination=10.0.0.11:5001 {fields}"
            );
            let Some(Line::Event(event)) = parse(&line) else {
                panic!("{line}")
            };
            packets.add(event);
        }
        packets
    }

    fn text(packet: &Packet) -> String {
        let mut out = Vec::new();

        packet.print(&mut out).unwrap();
        String::from_utf8(anstream::adapter::strip_bytes(&out).into_vec()).unwrap()
    }

    #[test]
    fn two_packets_at_once_are_told_apart() {
        let mut packets = packets(&[
            (
                10,
                "a",
                "classify dev=nic0 len=92 rule=flow class=high own=high",
            ),
            (
                11,
                "b",
                "classify dev=nic0 len=92 rule= class=normal own=normal",
            ),
            (12, "a", "deliver to=stack way=sync dev=-"),
            (13, "b", "deliver to=stack way=kernel dev=-"),
            (14, "a", "fallback stage=tunnel reason=kernel_refresh"),
            (15, "a", "deliver to=tunnel way=sync dev=vx100"),
            (16, "a", "deliver to=container way=sync dev=eth0"),
        ]);

        assert_eq!(
            text(&packets.next().unwrap()),
            "0.000011 cpu 0  10.0.0.2:1 > 10.0.0.11:5001 udp, vni 100
        +0 us  no rule names it, class normal; 92 bytes from nic0
        +2 us  is received, by the kernel's way
"
        );
        assert_eq!(
            text(&packets.next().unwrap()),
            "0.000010 cpu 0  10.0.0.2:1 > 10.0.0.11:5001 udp, vni 100
        +0 us  rule flow, class high; 92 bytes from nic0
        +2 us  is received (sync)
        +4 us  left to the VXLAN driver: kernel_refresh: keeps a learnt address, once a second
        +5 us  is received by the VXLAN device vx100 (sync)
        +6 us  is received in the container, by eth0 (sync)
"
        );
        assert!(packets.next().is_none());
    }

    #[test]
    fn an_address_is_used_again() {
        let mut packets = packets(&[
            (
                10,
                "a",
                "classify dev=nic0 len=92 rule= class=normal own=normal",
            ),
            (
                20,
                "a",
                "classify dev=nic0 len=92 rule= class=normal own=normal",
            ),
        ]);

        assert_eq!(packets.next().unwrap().0.len(), 1);
        assert!(packets.next().is_none());
        packets.end_all();
        assert_eq!(packets.next().unwrap().first().unwrap().us, 20);
    }

    #[test]
    fn a_packet_that_is_held_back_is_one() {
        let mut packets = packets(&[
            (10, "a", "deliver to=gate way=kernel dev=-"),
            (
                20,
                "a",
                "classify dev=nic0 len=92 rule=flow class=normal own=high",
            ),
            (21, "a", "demote reason=demoted limit=50"),
            (22, "a", "drop reason=dropped_normal"),
        ]);
        let packet = packets.next().unwrap();

        assert_eq!(
            text(&packet),
            "0.000010 cpu 0  10.0.0.2:1 > 10.0.0.11:5001 udp, vni 100
        +0 us  is held back, as settings or rules have changed
       +10 us  rule flow, class normal instead of high; 92 bytes from nic0
       +11 us  loses its class: demoted: of these, over the rate of their rule (50)
       +12 us  dropped: dropped_normal: of class normal: too many waited
"
        );
        let json = packet.to_json();
        assert_eq!(json["vni"], 100);
        assert_eq!(json["stages"][3]["reason"], "dropped_normal");
        assert_eq!(json["stages"][2]["limit"], 50);
        assert_eq!(json["stages"][1]["us"], 20);
        assert!(json["stages"][1].get("source").is_none());
    }

    /// What is for a published port, and what is merged on its way.
    #[test]
    fn a_packet_is_told_to_its_end() {
        for (stage, dev) in [("stack way=sync", "eth0"), ("gro way=kernel", "vx100")] {
            let first = format!("deliver to={stage} dev=-");
            let last = format!("deliver to=container way=sync dev={dev}");
            let mut packets = packets(&[
                (
                    10,
                    "a",
                    "classify dev=nic0 len=92 rule=r class=high own=high vni=-1",
                ),
                (11, "a", &first),
                (12, "a", &last),
            ]);
            let packet = packets.next().unwrap();

            assert_eq!(packet.0.len(), 3, "{stage}");
            assert!(packets.next().is_none(), "{stage}");
        }
    }

    #[test]
    fn what_is_accelerated_behind_gro_is_one() {
        let mut packets = packets(&[
            (
                10,
                "a",
                "classify dev=nic0 len=92 rule=backup class=bulk own=bulk",
            ),
            (11, "a", "deliver to=queue way=kernel dev=-"),
            (12, "a", "deliver to=gro way=kernel dev=-"),
            (13, "a", "deliver to=tunnel way=sync dev=vx100"),
            (14, "a", "deliver to=container way=sync dev=eth0"),
        ]);

        assert_eq!(packets.next().unwrap().0.len(), 5);
        assert!(packets.next().is_none());
    }

    /// It has gone with those before it, and its address is another's.
    #[test]
    fn what_was_merged_ends_with_the_next_or_the_clock() {
        let lines = [
            (
                10,
                "a",
                "classify dev=nic0 len=92 rule= class=normal own=normal",
            ),
            (11, "a", "deliver to=gro way=kernel dev=-"),
        ];
        let mut merged = packets(&lines);

        assert!(merged.next().is_none());
        merged.end_gone(1_000_012);
        assert_eq!(merged.next().unwrap().0.len(), 2);
        let mut reused = packets(&[lines[0], lines[1], (20, "a", "deliver to=gate way=kernel")]);
        assert_eq!(reused.next().unwrap().0.len(), 2);
    }

    #[test]
    fn a_terminal_obeys_no_name() {
        let dev = "deliver to=container way=sync dev=\x1b[2J";
        let mut out = Vec::new();

        packets(&[(10, "a", dev)])
            .next()
            .unwrap()
            .print(&mut out)
            .unwrap();
        let out = String::from_utf8(out).unwrap();

        assert!(out.contains(r"by \u{1b}[2J"), "{out:?}");
        assert!(!out.contains("\x1b[2J"), "{out:?}");
    }

    #[test]
    fn names_are_no_numbers() {
        let mut packets = packets(&[
            (
                10,
                "a",
                "classify dscp=46 dev=3 len=92 rule=007 class=high own=high",
            ),
            (11, "a", "drop reason=purged"),
        ]);
        let stage = &packets.next().unwrap().to_json()["stages"][0];

        for (name, value) in [
            ("rule", json!("007")),
            ("dev", json!("3")),
            ("dscp", json!(46)),
            ("len", json!(92)),
        ] {
            assert_eq!(stage[name], value, "{name}");
        }
    }
}
