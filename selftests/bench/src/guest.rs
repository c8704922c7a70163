// SPDX-License-Identifier: GPL-2.0

//! The guests that measure: each gets a plan, and tells of cells.

use std::{
    io::{
        BufRead,
        BufReader, //
    },
    path::PathBuf,
    process::{
        Command,
        Stdio, //
    },
    sync::{
        atomic::{
            AtomicUsize,
            Ordering, //
        },
        Mutex, //
    },
    thread,
    time::Instant,
};

use anyhow::{
    bail,
    ensure,
    Context,
    Result, //
};
use clap::Args;

use crate::{
    cell::{
        Cell,
        Row, //
    },
    scenario::{
        Part,
        Scenario, //
    },
};

/// How long a guest may take, in seconds.
const LIMIT: &str = "3000";

/// Options of what boots guests.
#[derive(Args)]
pub struct Guests {
    /// What the guest gets as /prism.
    #[arg(long)]
    share: PathBuf,
    /// What boots a guest: qemu/run.sh.
    #[arg(long)]
    guest: PathBuf,
    /// How many guests run at once; one for each processor otherwise. Figures do not depend on it.
    #[arg(long)]
    jobs: Option<usize>,
}

/// What guests gave.
#[derive(Default)]
pub struct Run {
    pub cells: Vec<Cell>,
    /// Peers that cannot run.
    pub cannot: Vec<Row>,
    /// What was found last that loads are per cent of.
    saturation: u32,
}

/// How far everything is.
struct Progress {
    start: Instant,
    done: AtomicUsize,
    total: usize,
}

impl Guests {
    /// Runs the scenarios, several guests at once.
    pub fn run(&self, scenarios: &[Scenario]) -> Result<Run> {
        let mut progress = Progress {
            start: Instant::now(),
            done: AtomicUsize::new(0),
            total: scenarios.iter().map(Scenario::cells).sum(),
        };
        let single = if scenarios.iter().any(Scenario::wants_single) {
            progress.say("what the plain kernel takes of plain bulk traffic");
            self.guest(&Scenario::single(), &progress)?.saturation
        } else {
            0
        };

        progress.done = AtomicUsize::new(0);
        let parts = scenarios.iter().flat_map(|it| it.parts(single)).collect();
        let mut run = Run::default();
        for part in self.all(parts, &progress)? {
            run.cells.extend(part.cells);
            for row in part.cannot {
                // All parts of a scenario tell so.
                if !run.cannot.contains(&row) {
                    run.cannot.push(row);
                }
            }
        }
        run.cells.sort_by_key(|cell| {
            let number = scenarios.iter().position(|it| it.name == cell.scenario);
            let peer = number.and_then(|number| scenarios[number].peer(&cell.peer));

            (number, peer, cell.load)
        });
        ensure!(
            !run.cells.is_empty() || !run.cannot.is_empty(),
            "the guests measured nothing"
        );
        Ok(run)
    }

    /// Runs all parts, those that take longest first. Their results are in the order of the parts.
    fn all(&self, parts: Vec<Part>, progress: &Progress) -> Result<Vec<Run>> {
        let jobs = match self.jobs {
            Some(jobs) => jobs,
            None => thread::available_parallelism()?.get(),
        };
        let mut left: Vec<_> = parts.iter().enumerate().collect();
        left.sort_by_key(|(_, part)| part.ms);
        let left = Mutex::new(left);
        let runs = Mutex::new(Vec::new());

        thread::scope(|scope| {
            for _ in 0..jobs.max(1) {
                scope.spawn(|| loop {
                    let Some((number, part)) = left.lock().ok().and_then(|mut left| left.pop())
                    else {
                        return;
                    };
                    let run = self.guest(part, progress);
                    if let Ok(mut left) = left.lock() {
                        // Nothing is to be seen without this one.
                        if run.is_err() {
                            left.clear();
                        }
                    }
                    if let Ok(mut runs) = runs.lock() {
                        runs.push((number, run));
                    }
                });
            }
        });

        let mut runs = runs.into_inner().unwrap_or_default();
        runs.sort_by_key(|(number, _)| *number);
        runs.into_iter().map(|(_, run)| run).collect()
    }

    /// Has a guest do its part. Its plan is part of the command, so that nothing else that others do
    /// makes a difference to it.
    fn guest(&self, part: &Part, progress: &Progress) -> Result<Run> {
        let command = format!(
            "exec bash /prism/guest/bench.sh /dev/fd/3 3<<'END'\n{}END",
            part.plan
        );
        let mut child = Command::new(&self.guest)
            .args(["--icount", "--net", "none", "--timeout", LIMIT, "--share"])
            .arg(&self.share)
            .args(["--cmd", &command])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| self.guest.display().to_string())?;
        let output = child.stdout.take().context("no output")?;
        let run = read(BufReader::new(output), progress);
        let status = child.wait()?;
        let run = run?;

        ensure!(status.success(), "the guest failed");
        Ok(run)
    }
}

impl Progress {
    fn say(&self, what: &str) {
        eprintln!(
            "prism: bench: {} s, {} of {}: {what}",
            self.start.elapsed().as_secs(),
            self.done.load(Ordering::Relaxed),
            self.total
        );
    }

    fn done(&self, what: &str) {
        self.done.fetch_add(1, Ordering::Relaxed);
        self.say(what);
    }
}

/// Reads what a guest tells.
fn read(lines: impl BufRead, progress: &Progress) -> Result<Run> {
    let mut run = Run::default();
    let mut cell = None;

    for line in lines.lines() {
        let line = line?;
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("saturation", rate) => {
                run.saturation = rate.parse()?;
                progress.say(&format!("100 % are {rate} packets/s"));
            }
            ("cell", rest) => cell = Some(begin(rest, run.saturation)?),
            ("end", "") => {
                let cell: Cell = cell.take().context("the end of no cell")?;

                run.cells.push(cell);
            }
            ("done", rest) => match rest.split(' ').collect::<Vec<_>>()[..] {
                [scenario, load, peer] => {
                    progress.done(&format!("{scenario}, {peer} at {load} %"));
                }
                _ => bail!("what is done? {rest}"),
            },
            ("cannot", rest) => {
                let mut words = rest.splitn(3, ' ').map(str::to_owned);
                let mut next = || words.next().unwrap_or_default();
                let row = Row {
                    scenario: next(),
                    peer: next(),
                    cannot: Some(next()),
                    ..Row::default()
                };

                progress.say(&format!("{}, {} cannot run", row.scenario, row.peer));
                run.cannot.push(row);
            }
            ("error", why) => bail!("the guest: {why}"),
            _ => match &mut cell {
                Some(cell) => cell.add(&line)?,
                // Programs say things, too.
                None => eprintln!("guest: {line}"),
            },
        }
    }
    Ok(run)
}

fn begin(words: &str, saturation: u32) -> Result<Cell> {
    let [scenario, load, peer] = words.split(' ').collect::<Vec<_>>()[..] else {
        bail!("a cell of what? {words}");
    };

    Ok(Cell {
        scenario: scenario.to_owned(),
        load: load.parse()?,
        saturation,
        peer: peer.to_owned(),
        ..Cell::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Result<Run> {
        let progress = Progress {
            start: Instant::now(),
            done: AtomicUsize::new(0),
            total: 1,
        };

        read(text.as_bytes(), &progress)
    }

    #[test]
    fn what_a_guest_tells() {
        let text =
            "boot\nsaturation 90000\ncell it 80 sync\nflow high sent 1 received 1 ring 0 total 9 \
                    longest 9\n9 1\ndrop backlog 0\nend\ncannot it ebpf-nic no such program\n";
        let run = told(text).unwrap();

        assert_eq!(run.cells.len(), 1);
        assert_eq!(run.cells[0].saturation, 90_000);
        assert_eq!(run.cells[0].flows[0].received, 1);
        assert_eq!(run.cannot[0].cannot.as_deref(), Some("no such program"));
    }

    #[test]
    fn what_a_guest_should_not_tell() {
        for text in [
            "error no NIC",
            "end",
            "cell it",
            "cell it 0 sync\nwhat is this",
        ] {
            assert!(told(text).is_err(), "{text}");
        }
    }
}
