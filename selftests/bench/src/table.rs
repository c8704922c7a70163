// SPDX-License-Identifier: GPL-2.0

//! The results as tables, one for each scenario.

use crate::cell::{
    find,
    Row, //
};

/// Prints the tables. Ratios are of the median to that of the plain kernel at the same load, and to
/// that of the idle host network.
pub fn print(rows: &[Row]) {
    println!("times in us of virtual time; rates are those received, of content");
    for scenario in names(rows, |row| &row.scenario) {
        let rows_of = || rows.iter().filter(|row| row.scenario == scenario);
        let measured = rows_of().filter(|row| row.cannot.is_none());
        let mut rates: Vec<_> = measured.map(|row| row.saturation_pps).collect();
        rates.dedup();
        let all = match rates[..] {
            [rate] => format!("{rate} packets/s"),
            _ => "the most that each takes".to_owned(),
        };

        println!(
            "\n{scenario}: 100 % are {all}\n\
             {:>5} {:<16} {:<8} {:>9} {:>9} {:>9} {:>9} {:>7} {:>7} {:>7} {:>7} {:>6}",
            "load",
            "peer",
            "flow",
            "p50",
            "p99",
            "p99.9",
            "max",
            "lost",
            "kpps",
            "Mbit/s",
            "vanilla",
            "host"
        );
        for row in rows_of() {
            print_row(rows, row);
        }
    }
}

fn print_row(rows: &[Row], row: &Row) {
    if let Some(why) = &row.cannot {
        println!("{:>5} {:<16} cannot run here: {why}", "", row.peer);
        return;
    }
    println!(
        "{:>5} {:<16} {:<8} {:>9} {:>9} {:>9} {:>9} {:>6.1}% {:>7.1} {:>7.0} {:>7} {:>6}",
        load(row.load_percent),
        row.peer,
        row.flow,
        us(row.p50_ns),
        us(row.p99_ns),
        us(row.p999_ns),
        us(row.max_ns),
        row.lost as f64 * 100.0 / row.sent.max(1) as f64,
        row.rate() / 1e3,
        row.bit_rate() / 1e6,
        ratio(row, find(rows, row, "vanilla", row.load_percent)),
        ratio(row, find(rows, row, "host", 0)),
    );
    for (name, note) in &row.notes {
        println!(
            "{:>5} {:<16} {:<8} {:>9} {:>9} {:>9} {:>9}",
            "",
            "",
            format!("  {name}"),
            us(note.p50_ns),
            us(note.p99_ns),
            "",
            us(note.max_ns)
        );
    }
    if let Some(deadline) = &row.deadline {
        println!(
            "{:>22}   {:.2} % missed their deadline of {} us",
            "",
            deadline.missed_percent,
            deadline.ns / 1000
        );
    }
}

/// The values of a column, each once, in the order in which they come.
pub fn names<'a>(rows: &'a [Row], of: impl Fn(&'a Row) -> &'a str) -> Vec<&'a str> {
    let mut names = Vec::new();

    for row in rows {
        if !names.contains(&of(row)) {
            names.push(of(row));
        }
    }
    names
}

/// A load as it is shown.
pub fn load(percent: u32) -> String {
    match percent {
        0 => "idle".to_owned(),
        percent => format!("{percent}%"),
    }
}

fn us(ns: u64) -> String {
    format!("{:.1}", ns as f64 / 1000.0)
}

fn ratio(row: &Row, base: Option<&Row>) -> String {
    match base {
        Some(base) if base.p50_ns > 0 => format!("{:.2}", row.p50_ns as f64 / base.p50_ns as f64),
        _ => "-".to_owned(),
    }
}
