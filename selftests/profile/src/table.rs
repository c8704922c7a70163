// SPDX-License-Identifier: GPL-2.0

//! Columns as tables.

use std::collections::BTreeMap;

use crate::{
    column::{
        Column,
        Part, //
    },
    stage::Stage,
};

/// How many functions of a stage are shown.
const FUNCTIONS: usize = 5;
/// How much of a function's name is shown.
const NAME_MAX: usize = 56;

/// Prints what each stage costs.
pub fn print_stages(columns: &[Column]) {
    println!("Instructions of a packet until it is at its socket:\n");
    heading("stage", 24, columns);
    for stage in Stage::ALL {
        row(stage.label(), 24, columns, |it| {
            number(it.stages[stage as usize].cost.to_socket)
        });
    }
    row("to the socket", 24, columns, |it| {
        number(it.sum().to_socket)
    });
    row("afterwards", 24, columns, |it| number(it.sum().afterwards));
    row("altogether", 24, columns, |it| number(it.sum().whole()));
    row("of it, repetitions", 24, columns, |it| {
        number(it.sum().repetitions)
    });
    println!("\nThe same, mean of all packets, and what the NIC has measured (ns):\n");
    row("stages", 24, columns, |it| format!("{:.0}", it.mean));
    row("measured", 24, columns, |it| format!("{:.0}", it.measured));
    row("difference", 24, columns, |it| {
        format!("{:+.1} %", it.deviation())
    });
}

/// Prints the functions of each stage that cost most.
pub fn print_functions(columns: &[Column]) {
    println!("\nThe functions that cost most in each stage, without what they call, altogether:\n");
    heading("stage, function", NAME_MAX, columns);
    for stage in Stage::ALL {
        row(stage.label(), NAME_MAX, columns, |it| {
            number(part(it, stage).cost.whole())
        });
        for name in most(columns, stage) {
            let label: String = name.chars().take(NAME_MAX - 2).collect();

            row(&format!("  {label}"), NAME_MAX, columns, |it| {
                let cost = part(it, stage).functions.get(name);
                number(cost.map_or(0, |cost| cost.whole()))
            });
        }
    }
}

fn part(column: &Column, stage: Stage) -> &Part {
    &column.stages[stage as usize]
}

/// The names of the functions of a stage that cost most in any of the columns.
fn most(columns: &[Column], stage: Stage) -> Vec<&str> {
    let mut functions: BTreeMap<&str, u64> = BTreeMap::new();

    for (name, cost) in columns.iter().flat_map(|it| &part(it, stage).functions) {
        let most = functions.entry(name).or_default();
        *most = cost.whole().max(*most);
    }
    let mut names: Vec<_> = functions.into_iter().collect();
    // Stable: of equal ones, by name.
    names.sort_by_key(|&(_, cost)| std::cmp::Reverse(cost));
    names.truncate(FUNCTIONS);
    names.into_iter().map(|(name, _)| name).collect()
}

fn heading(first: &str, width: usize, columns: &[Column]) {
    row(first, width, columns, |it| it.name.clone());
}

fn row(label: &str, width: usize, columns: &[Column], value: impl Fn(&Column) -> String) {
    print!("{label:<width$}");
    for column in columns {
        print!(" {:>16}", value(column));
    }
    println!();
}

fn number(instructions: u64) -> String {
    match instructions {
        0 => "-".to_owned(),
        instructions => instructions.to_string(),
    }
}
