// SPDX-License-Identifier: GPL-2.0

//! `stats --cpus`: what each CPU has counted.

use std::{
    collections::BTreeMap,
    io::{
        self,
        Write, //
    },
    iter,
};

use serde::Serialize;

use crate::{
    counted::debugfs::{
        sums,
        Cpus,
        SUMS, //
    },
    output::Table,
};

/// All CPUs.
#[derive(Serialize)]
pub(super) struct ByCpu {
    cpus: Cpus,
    /// What they add up to, by its name.
    cpu_sums: BTreeMap<u32, BTreeMap<&'static str, u64>>,
}

impl ByCpu {
    pub(super) fn new(cpus: Cpus) -> Self {
        let names = || SUMS.into_iter().map(|(_, name)| name);
        let named = |(cpu, counts): (&u32, &BTreeMap<String, u64>)| {
            (*cpu, names().zip(sums(counts)).collect())
        };

        Self {
            cpu_sums: cpus.iter().map(named).collect(),
            cpus,
        }
    }

    /// Those that have counted something; the others, too, where `is_all`.
    pub(super) fn print(&self, out: &mut dyn Write, is_all: bool) -> io::Result<()> {
        let headings: Vec<&str> = SUMS.into_iter().map(|(heading, _)| heading).collect();
        let mut table = Table::new(&[&["CPU"], headings.as_slice()].concat());
        let sums = self.cpus.iter().map(|(cpu, counts)| (cpu, sums(counts)));
        let mut is_empty = true;

        for (cpu, sums) in sums.filter(|(_, sums)| is_all || *sums != [0; 5]) {
            let sums = sums.into_iter().map(|sum| sum.to_string());

            table.line(iter::once(cpu.to_string()).chain(sums).collect());
            is_empty = false;
        }
        match is_empty {
            true => writeln!(out, "no CPU has counted a packet"),
            false => table.print(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(stats: &ByCpu, is_all: bool) -> String {
        let mut out = Vec::new();

        stats.print(&mut out, is_all).unwrap();
        String::from_utf8(anstream::adapter::strip_bytes(&out).into_vec()).unwrap()
    }

    #[test]
    fn cpus_have_sums() {
        let counts = |counts: &[(&str, u64)]| -> BTreeMap<String, u64> {
            let counts = counts
                .iter()
                .map(|(name, count)| ((*name).to_owned(), *count));

            counts.collect()
        };
        let stats = ByCpu::new(Cpus::from([
            (
                0,
                counts(&[
                    ("classified", 30),
                    ("unmatched", 12),
                    ("completed", 20),
                    ("deferred_bulk", 9),
                    ("dropped_bulk", 3),
                    ("dropped_held", 1),
                    ("purged", 1),
                    ("kernel_tap", 2),
                    ("kernel_refresh", 8),
                ]),
            ),
            (2, counts(&[("classified", 0)])),
        ]));

        assert_eq!(
            text(&stats, false),
            "CPU  LOOKED UP  AT ONCE  WAITED  DROPPED  KERNEL'S\n\
             0    42         20       9       5        2\n"
        );
        assert!(text(&stats, true).ends_with("\n2    0          0        0       0        0\n"));
        let json = serde_json::to_value(&stats).unwrap();
        assert_eq!(json["cpus"]["0"]["dropped_held"], 1);
        assert_eq!(json["cpu_sums"]["0"]["dropped"], 5);
        assert_eq!(json["cpu_sums"]["2"]["looked_up"], 0);
    }

    #[test]
    fn nothing_is_said() {
        assert_eq!(
            text(&ByCpu::new(Cpus::new()), true),
            "no CPU has counted a packet\n"
        );
    }
}
