// SPDX-License-Identifier: GPL-2.0

//! The guest that measures: gets a plan, tells of cells.

use std::{
    fs,
    io::{
        BufRead,
        BufReader, //
    },
    path::Path,
    process::{
        Command,
        Stdio, //
    },
    time::Instant,
};

use anyhow::{
    bail,
    ensure,
    Context,
    Result, //
};

use crate::{
    cell::{
        Cell,
        Row, //
    },
    scenario::Scenario, //
};

/// How long a guest may take, in seconds.
const LIMIT: &str = "3000";

/// What a run gave.
#[derive(Default)]
pub struct Run {
    pub cells: Vec<Cell>,
    /// Peers that cannot run.
    pub cannot: Vec<Row>,
}

/// Has a guest run the scenarios.
pub fn run(guest: &Path, share: &Path, scenarios: &[Scenario]) -> Result<Run> {
    let plan: String = scenarios.iter().map(Scenario::plan).collect();
    let total = scenarios.iter().map(Scenario::cells).sum();
    fs::write(share.join("plan"), plan)?;

    let mut child = Command::new(guest)
        .args(["--icount", "--net", "none", "--timeout", LIMIT, "--share"])
        .arg(share)
        .args(["--cmd", "exec bash /prism/guest/bench.sh /prism/plan"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| guest.display().to_string())?;
    let output = child.stdout.take().context("no output")?;
    let run = read(BufReader::new(output), total);
    let status = child.wait()?;
    let run = run?;

    ensure!(status.success(), "the guest failed");
    ensure!(!run.cells.is_empty(), "the guest measured nothing");
    Ok(run)
}

/// Reads what the guest tells, of which `total` is the number of cells to come.
fn read(lines: impl BufRead, total: usize) -> Result<Run> {
    let mut run = Run::default();
    let mut cell = None;
    let mut saturation = 0;
    let start = Instant::now();

    for line in lines.lines() {
        let line = line?;
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("saturation", rate) => {
                saturation = rate.parse()?;
                progress(start, &format!("100 % are {rate} packets/s"));
            }
            ("cell", rest) => cell = Some(begin(rest, saturation)?),
            ("end", "") => {
                run.cells.push(cell.take().context("the end of no cell")?);
                if let Some(Cell {
                    scenario,
                    load,
                    peer,
                    ..
                }) = run.cells.last()
                {
                    let done = run.cells.len();
                    progress(
                        start,
                        &format!("{done} of {total}: {scenario}, {peer} at {load} %"),
                    );
                }
            }
            ("cannot", rest) => {
                let mut words = rest.splitn(3, ' ').map(str::to_owned);
                let mut next = || words.next().unwrap_or_default();
                run.cannot.push(Row {
                    scenario: next(),
                    peer: next(),
                    cannot: Some(next()),
                    ..Row::default()
                });
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

fn progress(start: Instant, what: &str) {
    eprintln!("prism: bench: {} s: {what}", start.elapsed().as_secs());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_guest_tells() {
        let text =
            "boot\nsaturation 90000\ncell it 80 sync\nflow high sent 1 received 1 ring 0 total 9 \
                    longest 9\n9 1\ndrop backlog 0\nend\ncannot it ebpf-nic no such program\n";
        let run = read(text.as_bytes(), 1).unwrap();

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
            assert!(read(text.as_bytes(), 1).is_err(), "{text}");
        }
    }
}
