// SPDX-License-Identifier: GPL-2.0

//! Cells: what was measured in one experiment at one load in one mode, round by round.

use std::collections::BTreeMap;

use anyhow::{
    bail,
    ensure,
    Context,
    Result, //
};

/// What all others are compared with.
pub const BASE: &str = "vanilla";

/// A run of the two guests.
#[derive(Debug, Default)]
pub struct Run {
    /// What loads are per cent of, in packets per second.
    pub saturation: Option<Spread>,
    /// The same of TCP, in bytes per second, if that was looked for.
    pub saturation_tcp: Option<Spread>,
    /// Between interrupts of the NIC under load, in microseconds.
    pub gap: Option<Spread>,
    /// In the order of the first round.
    pub cells: Vec<Cell>,
}

/// A cell.
#[derive(Debug)]
pub struct Cell {
    pub experiment: String,
    /// Per cent of saturation; 0 is idle.
    pub load: u32,
    pub mode: String,
    /// What the rate is a rate of.
    pub unit: String,
    /// What each round gave, by its number.
    rounds: BTreeMap<u32, BTreeMap<String, f64>>,
}

/// The rounds' median, the lowest and the highest of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

impl Run {
    /// Reads what the guest told.
    pub fn parse(text: &str) -> Result<Self> {
        let mut run = Self::default();
        let (mut saturation, mut saturation_tcp, mut gap) = (Vec::new(), Vec::new(), Vec::new());
        let mut ended = false;

        for line in text.lines() {
            match line.split_once(' ').unwrap_or((line, "")) {
                ("saturation", rate) => saturation.push(number(rate)?),
                ("saturation_tcp", rate) => saturation_tcp.push(number(rate)?),
                ("gap", us) => gap.push(number(us)?),
                ("data", rest) => run.add(rest).with_context(|| line.to_owned())?,
                ("error", why) => bail!("the guest: {why}"),
                ("end", "") => ended = true,
                // Progress, orders to the cable, and what programs say.
                _ => (),
            }
        }
        ensure!(ended, "the guest did not come to its end");
        run.saturation = Spread::of(saturation.into_iter());
        run.saturation_tcp = Spread::of(saturation_tcp.into_iter());
        run.gap = Spread::of(gap.into_iter());
        Ok(run)
    }

    fn add(&mut self, words: &str) -> Result<()> {
        let mut words = words.split_whitespace();
        let mut next = || words.next().context("too few words");
        let (experiment, load, mode) = (next()?, next()?.parse()?, next()?);
        let round = next()?.parse()?;
        let unit = next()?.strip_prefix("unit=").context("no unit")?;
        let figures = words
            .map(|word| {
                let (name, value) = word.split_once('=').context("expected NAME=NUMBER")?;
                Ok((name.to_owned(), number(value)?))
            })
            .collect::<Result<_>>()?;

        let is_it = |cell: &&mut Cell| cell.is_at(experiment, load) && cell.mode == mode;
        let cell = match self.cells.iter_mut().find(is_it) {
            Some(cell) => cell,
            None => {
                self.cells.push(Cell {
                    experiment: experiment.to_owned(),
                    load,
                    mode: mode.to_owned(),
                    unit: unit.to_owned(),
                    rounds: BTreeMap::new(),
                });
                self.cells.last_mut().context("no cell")?
            }
        };
        ensure!(
            cell.rounds.insert(round, figures).is_none(),
            "the same round twice"
        );
        Ok(())
    }

    /// The plain kernel's cell for the same experiment and load.
    pub fn base(&self, cell: &Cell) -> Option<&Cell> {
        self.cells
            .iter()
            .find(|it| it.is_at(&cell.experiment, cell.load) && it.mode == BASE)
    }

    /// How many rounds there were.
    pub fn rounds(&self) -> usize {
        self.cells
            .iter()
            .map(|cell| cell.rounds.len())
            .max()
            .unwrap_or(0)
    }

    /// What makes results worthless: clients without answers, and a module that acted where it was not
    /// to, or did not where it was.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();

        for cell in &self.cells {
            let place = format!("{} at {} %, {}", cell.experiment, cell.load, cell.mode);
            let in_all = |name| cell.figures(name).all(|figure| figure > 0.0);
            let in_any = |name| cell.figures(name).any(|figure| figure > 0.0);

            if cell.rounds.len() < self.rounds() {
                problems.push(format!("{place}: rounds are missing"));
            }
            if !in_all("rate") {
                problems.push(format!("{place}: a round without answers"));
            }
            if cell.mode == BASE && in_any("classified") {
                problems.push(format!("{place}: PRISM classified packets"));
            }
            if cell.mode != BASE && !in_all("completed") {
                problems.push(format!("{place}: PRISM completed no packet"));
            }
        }
        problems
    }
}

impl Cell {
    pub fn is_at(&self, experiment: &str, load: u32) -> bool {
        self.experiment == experiment && self.load == load
    }

    /// A figure of each round; 0 where there is none.
    fn figures<'a>(&'a self, name: &'a str) -> impl Iterator<Item = f64> + 'a {
        self.rounds
            .values()
            .map(|round| round.get(name).copied().unwrap_or(0.0))
    }

    /// A figure over the rounds that have it.
    pub fn spread(&self, name: &str) -> Option<Spread> {
        Spread::of(
            self.rounds
                .values()
                .filter_map(|round| round.get(name).copied()),
        )
    }

    /// A figure's ratio to that of `base` in the same round, over the rounds.
    pub fn ratio(&self, base: &Cell, name: &str) -> Option<Spread> {
        Spread::of(self.rounds.iter().filter_map(|(number, round)| {
            let other = *base.rounds.get(number)?.get(name)?;
            (other > 0.0).then_some(round.get(name)? / other)
        }))
    }
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<_> = values.collect();

        values.sort_by(f64::total_cmp);
        let (low, high) = (*values.first()?, *values.last()?);
        let (below, above) = (
            values.get((values.len() - 1) / 2)?,
            values.get(values.len() / 2)?,
        );
        Some(Self {
            median: (below + above) / 2.0,
            low,
            high,
        })
    }
}

fn number(text: &str) -> Result<f64> {
    let number: f64 = text
        .parse()
        .with_context(|| format!("not a number: {text}"))?;

    ensure!(number.is_finite(), "not a number: {text}");
    Ok(number)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub const GOOD: &str = "step this\nsaturation 50000\ngap 2000\n\
        data overlay 65 vanilla 1 unit=msg rate=10 p50=100 p99=300 sent=9 received=8 bulk=30000\n\
        data overlay 65 sync 1 unit=msg rate=20 p50=50 p99=300 sent=9 received=9 completed=9\n\
        data overlay 65 sync 2 unit=msg rate=30 p50=20 p99=300 sent=9 received=9 completed=9\n\
        data overlay 65 vanilla 2 unit=msg rate=10 p50=200 p99=200 sent=9 received=9 bulk=20000\n\
        end\n";

    fn run() -> Run {
        Run::parse(GOOD).unwrap()
    }

    #[test]
    fn medians_and_spread() {
        let spread = |values: &[f64]| {
            let it = Spread::of(values.iter().copied()).unwrap();
            (it.low, it.median, it.high)
        };

        assert_eq!(spread(&[3.0, 1.0, 9.0]), (1.0, 3.0, 9.0));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 9.0]), (1.0, 3.0, 9.0));
        assert_eq!(spread(&[7.0]), (7.0, 7.0, 7.0));
        assert_eq!(Spread::of([].into_iter()), None);
    }

    #[test]
    fn ratios_are_of_the_same_round() {
        let run = run();
        let sync = &run.cells[1];
        let ratio = sync.ratio(run.base(sync).unwrap(), "p50").unwrap();

        assert_eq!((ratio.low, ratio.median, ratio.high), (0.1, 0.3, 0.5));
        assert_eq!(sync.ratio(run.base(sync).unwrap(), "p90"), None);
    }

    #[test]
    fn what_makes_results_worthless() {
        let problems = |from: &str, to: &str| {
            let run = Run::parse(&GOOD.replacen(from, to, 1)).unwrap();
            run.problems().join(", ")
        };

        assert_eq!(problems("x", "x"), "");
        assert_eq!(
            problems("rate=20", "rate=0"),
            "overlay at 65 %, sync: a round without answers"
        );
        assert_eq!(
            problems("completed=9", "classified=9"),
            "overlay at 65 %, sync: PRISM completed no packet"
        );
        assert_eq!(
            problems("bulk=30000", "classified=1"),
            "overlay at 65 %, vanilla: PRISM classified packets"
        );
        assert_eq!(
            problems("data overlay 65 sync 2", "note"),
            "overlay at 65 %, sync: rounds are missing"
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for (from, to) in [
            ("end", ""),
            ("end", "error no NIC"),
            ("rate=10", "rate=nan"),
            ("rate=10", "rate"),
            ("unit=msg", ""),
            ("sync 2", "sync 1"),
            ("65", "much"),
        ] {
            assert!(Run::parse(&GOOD.replacen(from, to, 1)).is_err(), "{to}");
        }
    }
}
