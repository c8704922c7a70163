// SPDX-License-Identifier: GPL-2.0

//! How many packets took how long, by class or by rule.

use std::collections::BTreeMap;

use serde_json::{
    json,
    Value, //
};

/// How many packets took a time from the one to the other, in ns.
pub(crate) type Buckets = BTreeMap<(u64, u64), u64>;

/// Those of each class, or of each rule.
pub(crate) type Histograms = BTreeMap<String, Buckets>;

/// What packets were doing meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// From behind the driver to where their socket is.
    Delivered,
    /// From there until it was their turn.
    Waited,
}

impl Kind {
    pub(crate) const ALL: [Self; 2] = [Self::Delivered, Self::Waited];

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Waited => "waited",
        }
    }
}

/// Times of packets that were delivered, and of those that waited.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Times {
    pub(crate) delivered: Histograms,
    pub(crate) waited: Histograms,
}

impl Times {
    fn all(&self, kind: Kind) -> &Histograms {
        match kind {
            Kind::Delivered => &self.delivered,
            Kind::Waited => &self.waited,
        }
    }

    /// Those of a class or rule; `None` without packets.
    pub(crate) fn of(&self, kind: Kind, name: &str) -> Option<&Buckets> {
        self.all(kind).get(name).filter(|it| !it.is_empty())
    }

    /// What tells most of a class or rule: the times of what was delivered, or, where nothing was, of what
    /// waited.
    pub(crate) fn best(&self, name: &str) -> Option<(Kind, &Buckets)> {
        Kind::ALL
            .into_iter()
            .find_map(|kind| Some((kind, self.of(kind, name)?)))
    }

    /// The names that have packets.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Kind::ALL
            .into_iter()
            .flat_map(|kind| self.all(kind).keys().map(String::as_str))
            .collect();

        names.sort_unstable();
        names.dedup();
        names
    }

    /// What came since `before`, but for names of which `is_known` says that it is not known what they had
    /// then.
    pub(crate) fn since(&self, before: &Self, is_known: impl Fn(&str) -> bool) -> Self {
        let of = |kind| {
            let before: &Histograms = before.all(kind);

            self.all(kind)
                .iter()
                .filter(|(name, _)| before.contains_key(*name) || is_known(name))
                .map(|(name, now)| (name.clone(), since(before.get(name), now)))
                .filter(|(_, buckets)| !buckets.is_empty())
                .collect()
        };

        Self {
            delivered: of(Kind::Delivered),
            waited: of(Kind::Waited),
        }
    }
}

/// What came since `before`. What has begun anew, such as a rule that was made again, counts from zero.
fn since(before: Option<&Buckets>, now: &Buckets) -> Buckets {
    let is_less = |(at, packets): (&(u64, u64), &u64)| now.get(at).is_none_or(|now| now < packets);
    let before = before.filter(|before| !before.iter().any(is_less));

    now.iter()
        .map(|(at, packets)| {
            let before = before.and_then(|before| before.get(at));

            (*at, packets.saturating_sub(before.copied().unwrap_or(0)))
        })
        .filter(|(_, packets)| *packets != 0)
        .collect()
}

/// Lines such as `high 3584 4096 17`.
pub(crate) fn parse(text: &str) -> Histograms {
    let mut all = Histograms::new();

    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, numbers @ ..] = words.as_slice() else {
            continue;
        };
        let numbers: Option<Vec<u64>> = numbers.iter().map(|word| word.parse().ok()).collect();

        if let Some([from, to, packets]) = numbers.as_deref() {
            all.entry((*name).to_owned())
                .or_default()
                .insert((*from, *to), *packets);
        }
    }
    all
}

/// How many packets there are.
pub(crate) fn packets(buckets: &Buckets) -> u64 {
    buckets.values().sum()
}

/// What so large a part of packets took at most, in ns.
pub(crate) fn quantile(buckets: &Buckets, part: f64) -> Option<u64> {
    let wanted = (packets(buckets) as f64 * part).ceil() as u64;
    let mut packets = 0;

    buckets.iter().find_map(|((_, to), count)| {
        packets += count;
        (packets >= wanted.max(1)).then_some(*to)
    })
}

/// The same for people.
pub(crate) fn within(buckets: &Buckets, part: f64) -> String {
    quantile(buckets, part).map_or_else(String::new, duration)
}

/// Nanoseconds for people.
pub(crate) fn duration(ns: u64) -> String {
    match ns {
        0..1_000 => format!("{ns}ns"),
        1_000..1_000_000 => format!("{:.1}us", ns as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1}ms", ns as f64 / 1e6),
        _ => format!("{:.1}s", ns as f64 / 1e9),
    }
}

/// All that is known of the packets, in numbers.
pub(crate) fn to_json(kind: Kind, buckets: &Buckets) -> Value {
    let list: Value = buckets
        .iter()
        .map(|((from, to), packets)| json!([from, to, packets]))
        .collect();

    json!({
        "kind": kind.title(),
        "packets": packets(buckets),
        "p50_ns": quantile(buckets, 0.5),
        "p99_ns": quantile(buckets, 0.99),
        "buckets": list,
    })
}

/// What stands above bars: each time begins where its own is.
pub(crate) const SCALE: &str = "1us   100us 10ms";

/// How high the packets of each time stand: three columns for each power of ten from a microsecond on.
pub(crate) fn bars(buckets: &Buckets) -> String {
    const COLUMNS: usize = 18;
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let mut columns = [0u64; COLUMNS];

    for ((from, _), packets) in buckets {
        let at = ((*from as f64 / 1e3).max(1.0).log10() * 3.0) as usize;

        columns[at.min(COLUMNS - 1)] += packets;
    }
    let most = columns.iter().copied().max().unwrap_or(0).max(1) as f64;
    let bar = |packets: u64| match packets {
        0 => ' ',
        // Few are seen beside many.
        packets => LEVELS[((packets as f64).ln_1p() / most.ln_1p() * 7.0) as usize % 8],
    };

    columns.into_iter().map(bar).collect()
}

/// Lines of at most 80 columns: for each power of two from the shortest time to the longest, how many
/// packets took that long, with a bar.
pub(crate) fn chart(buckets: &Buckets) -> Vec<String> {
    let mut powers = BTreeMap::<u32, u64>::new();

    for ((from, _), packets) in buckets {
        *powers.entry(from.max(&1).ilog2()).or_default() += packets;
    }
    let most = powers.values().copied().max().unwrap_or(0);
    let (Some(first), Some(last)) = (powers.keys().next(), powers.keys().next_back()) else {
        return Vec::new();
    };
    let line = |power: u32| {
        let packets = powers.get(&power).copied().unwrap_or(0);
        let (from, to) = (1u64 << power, 1u128 << (power + 1));
        let to = u64::try_from(to).unwrap_or(u64::MAX);
        let text = format!(
            "  {:>7} to {:>7} {packets:>12}  {}",
            duration(from),
            duration(to),
            bar(packets, most)
        );

        text.trim_end().to_owned()
    };

    (*first..=*last).map(line).collect()
}

/// A bar that is as long as `packets` are many; what is not zero is seen.
fn bar(packets: u64, most: u64) -> String {
    const COLUMNS: u128 = 40;
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = u128::from(packets) * COLUMNS * 8 / u128::from(most.max(1));
    let eighths = eighths.max(u128::from(packets != 0));
    let part = PARTS.get((eighths % 8) as usize).copied().unwrap_or("");

    format!("{}{part}", "█".repeat((eighths / 8) as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(delivered: &str, waited: &str) -> Times {
        Times {
            delivered: parse(delivered),
            waited: parse(waited),
        }
    }

    #[test]
    fn histograms_are_read() {
        let classes = parse("high 256 320 5\nbulk 1 2 3\nbad 1 2\nworse 1 2 x\nx 1 2 3 4\n\n");

        assert_eq!(classes.len(), 2);
        assert_eq!(classes["high"][&(256, 320)], 5);
    }

    #[test]
    fn what_came_meanwhile_is_told() {
        let before = times("a 1 2 5\nb 1 2 3\n", "a 1 2 1\n");
        let now = times("a 1 2 7\na 2 3 1\nb 1 2 3\nc 1 2 4\n", "a 1 2 1\n");
        let since = now.since(&before, |_| true);

        assert_eq!(since, times("a 1 2 2\na 2 3 1\nc 1 2 4\n", ""));
        // What is there again has its past.
        assert_eq!(
            now.since(&before, |name| name != "c"),
            times("a 1 2 2\na 2 3 1\n", "")
        );
    }

    #[test]
    fn what_begins_anew_counts_from_zero() {
        let before = times("a 1 2 5\na 4 5 9\nb 1 2 5\n", "");
        let now = times("a 1 2 6\nb 1 2 4\n", "");

        assert_eq!(now.since(&before, |_| true), now);
    }

    #[test]
    fn what_was_delivered_tells_most() {
        let times = times("a 1 2 5\n", "a 1 2 1\nb 4 5 1\n");

        assert_eq!(times.best("a").unwrap().0, Kind::Delivered);
        assert_eq!(times.best("b").unwrap().0, Kind::Waited);
        assert_eq!(times.best("c"), None);
        assert_eq!(times.names(), ["a", "b"]);
    }

    #[test]
    fn bars_stand_at_their_times() {
        let bars = bars(&Buckets::from([((1_000_000, 1_200_000), 5)]));

        assert_eq!(bars.chars().position(|bar| bar == '█'), Some(9));
        assert_eq!(bars.trim(), "█");
    }

    #[test]
    fn times_stand_above_their_bars() {
        for (time, ns) in [("1us", 1_000), ("100us", 100_000), ("10ms", 10_000_000)] {
            let bars = bars(&Buckets::from([((ns, ns + 1), 5)]));

            assert_eq!(SCALE.find(time), bars.chars().position(|bar| bar == '█'));
        }
    }

    #[test]
    fn a_chart_has_a_line_for_each_power_of_two() {
        let buckets = Buckets::from([
            ((2048, 2560), 60),
            ((2560, 3072), 20),
            ((4096, 5120), 10),
            ((16384, 20480), 1),
        ]);

        assert_eq!(
            chart(&buckets),
            [
                format!("    2.0us to   4.1us           80  {}", "█".repeat(40)),
                "    4.1us to   8.2us           10  █████".to_owned(),
                "    8.2us to  16.4us            0".to_owned(),
                "   16.4us to  32.8us            1  ▌".to_owned(),
            ]
        );
        assert!(chart(&Buckets::new()).is_empty());
    }

    #[test]
    fn a_chart_holds_any_number_in_its_columns() {
        let buckets = Buckets::from([
            ((0, 1), 1),
            ((60_129_542_144, 68_719_476_736), 999_999_999_999),
        ]);
        let lines = chart(&buckets);

        assert!(lines.iter().all(|line| line.chars().count() <= 80));
        assert!(lines[0].ends_with('▏'));
    }
}
