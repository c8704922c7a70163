// SPDX-License-Identifier: GPL-2.0

//! The results as a table, beside the paper's.

use std::fmt::Write;

use super::{
    cell::{
        Cell,
        Run,
        Spread, //
    },
    paper, //
};

/// The table, with all that has to be known to read it.
pub fn text(run: &Run) -> String {
    let tcp = run.saturation_tcp.map_or(String::new(), |rate| {
        format!("; of TCP: {} byte/s", figure(Some(rate)))
    });
    let mut text = format!(
        "Median of {} round(s) (lowest-highest); times in us, of the client, both ways. On the right, ratios to\n\
         vanilla in the same round: their median, and the spread of the first; idle is the processor that receives.\n\
         Saturation: {} packets/s{tcp}.\nUnder load, the NIC interrupts once in {} us.\n",
        run.rounds(),
        figure(run.saturation),
        figure(run.gap),
    );
    let mut place = None;

    for cell in &run.cells {
        if place.replace((&cell.experiment, cell.load)) != Some((&cell.experiment, cell.load)) {
            text += &heading(cell);
        }
        text += &row(run, cell);
    }
    text
}

fn heading(cell: &Cell) -> String {
    let load = match cell.load {
        0 => "no load".to_owned(),
        load => format!("{load} % of saturation"),
    };

    format!(
        "\n{}, {load}: {}\n{:8} {:>24} {:>24} {:>19} {:>5} {:>5} {:>5} {:>10} {:>5}  paper\n",
        cell.experiment,
        paper::title(&cell.experiment),
        "mode",
        "p50, us",
        "p99, us",
        format!("{}/s", cell.unit),
        "p50",
        "p99",
        "rate",
        "p50 spread",
        "idle",
    )
}

fn row(run: &Run, cell: &Cell) -> String {
    let base = run.base(cell);
    let ratio = |name| base.and_then(|base| cell.ratio(base, name));
    let ratios = ["p50", "p99", "rate"].map(|name| median(ratio(name)));
    let mut line = String::new();

    // Writing to a string does not fail.
    let _ = write!(
        line,
        "{:8} {:>24} {:>24} {:>19} {:>5} {:>5} {:>5} {:>11} {:>4.0}%  {}",
        cell.mode,
        figure(cell.spread("p50")),
        figure(cell.spread("p99")),
        figure(cell.spread("rate")),
        ratios[0],
        ratios[1],
        ratios[2],
        ratio("p50").map_or("-".to_owned(), |it| format!("{:.2}-{:.2}", it.low, it.high)),
        cell.spread("idle").map_or(0.0, |idle| idle.median),
        paper::figure(&cell.experiment, cell.load, &cell.mode).unwrap_or_default(),
    );
    line.truncate(line.trim_end().len());
    line + "\n"
}

fn figure(spread: Option<Spread>) -> String {
    spread.map_or("-".to_owned(), |it| {
        format!("{:.0} ({:.0}-{:.0})", it.median, it.low, it.high)
    })
}

fn median(spread: Option<Spread>) -> String {
    spread.map_or("-".to_owned(), |it| format!("{:.2}", it.median))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wall::cell::tests::GOOD;

    #[test]
    fn one_heading_and_a_row_for_each_mode() {
        let text = text(&Run::parse(GOOD).unwrap());
        let lines: Vec<_> = text.lines().skip(5).collect();

        assert!(lines[0].starts_with("overlay, 65 % of saturation: UDP echo"));
        assert!(lines[2].starts_with("vanilla             150 (100-200)"));
        assert!(lines[3].contains(" 0.30  1.25  2.50   0.10-0.50 "));
        assert!(lines[3].ends_with("mean, p99 about -50 %"));
        assert_eq!(lines.len(), 4);
    }
}
