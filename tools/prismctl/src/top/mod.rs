// SPDX-License-Identifier: GPL-2.0

//! `top`: what happens now, on a screen, or as text again and again.

mod measured;
mod sample;
mod screen;
mod view;

use std::{
    io::{
        self,
        IsTerminal, //
    },
    os::fd::AsFd,
    time::{
        Duration,
        Instant, //
    },
};

use ratatui::crossterm::event::{
    self,
    Event,
    KeyEventKind, //
};

use self::{
    sample::{
        Sample,
        Source, //
    },
    screen::Screen,
    view::{
        Change,
        Sort,
        View, //
    },
};
use crate::{
    error::Error,
    output::{
        styled,
        Output,
        Table,
        BOLD, //
    },
    signals::Signals, //
};

/// What is wanted.
pub(crate) struct Options {
    /// How often to print text; `None` for a screen.
    pub(crate) times: Option<u64>,
    /// For how long to count each time.
    pub(crate) interval: Duration,
    /// Whether to have times measured.
    pub(crate) measures: bool,
}

/// Shows what happens until it is ended.
pub(crate) fn top(out: &mut Output, options: &Options) -> Result<(), Error> {
    if options.times.is_none() {
        if out.is_json() {
            return Err(Error::NoScreen);
        }
        if !(io::stdout().is_terminal() && io::stdin().is_terminal()) {
            return Err(Error::NoTerminal);
        }
    }
    let source = Source::open()?;
    // Before there is anything to be put back.
    let signals = Signals::block()?;
    let _measured = options.measures.then(|| source.measure()).transpose()?;

    match options.times {
        Some(times) => print(out, &source, &signals, times, options.interval),
        None => show(&source, &signals, options.interval),
    }
}

/// As text, or lines of JSON.
fn print(
    out: &mut Output,
    source: &Source,
    signals: &Signals,
    times: u64,
    interval: Duration,
) -> Result<(), Error> {
    let mut before = source.read()?;

    for _ in 0..times {
        if signals.wait(None, interval)? {
            break;
        }
        let now = source.read()?;
        let change = Change::new(&before, &now);

        out.line(&change.to_json(), |out| {
            writeln!(out, "{}", change.summary())?;
            for view in View::ALL {
                let lines = change.lines(view, Sort::Rate);

                writeln!(out, "\n{}", styled(BOLD, view.title()))?;
                match lines.hint {
                    Some(hint) if lines.lines.is_empty() => writeln!(out, "{hint}")?,
                    _ => {
                        let mut table = Table::new(&lines.heading);

                        lines.lines.into_iter().for_each(|line| table.line(line));
                        table.print(out)?;
                    }
                }
            }
            writeln!(out)
        })?;
        before = now;
    }
    Ok(())
}

/// The terminal, which is as before when this is dropped, also where something panics.
struct Terminal(ratatui::DefaultTerminal);

impl Terminal {
    fn new() -> io::Result<Self> {
        Ok(Self(
            ratatui::try_init().inspect_err(|_| ratatui::restore())?,
        ))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// On a screen.
fn show(source: &Source, signals: &Signals, interval: Duration) -> Result<(), Error> {
    // How soon another size of the terminal is seen.
    const LOOK: Duration = Duration::from_millis(200);
    let (mut before, mut now): (Option<Sample>, Sample) = (None, source.read()?);
    let mut next = now.at + interval;
    let mut screen = Screen::new();
    let mut terminal = Terminal::new()?;

    loop {
        let change = before.as_ref().map(|before| Change::new(before, &now));

        terminal
            .0
            .draw(|frame| screen.draw(frame, change.as_ref()))?;
        let left = next.saturating_duration_since(Instant::now());
        let most = if screen.is_paused {
            LOOK
        } else {
            left.min(LOOK)
        };

        if signals.wait(Some(io::stdin().as_fd()), most)? {
            return Ok(());
        }
        while event::poll(Duration::ZERO)? {
            if let Event::Key(key) = event::read()? {
                if key.kind != KeyEventKind::Release && screen.press(key) {
                    return Ok(());
                }
            }
        }
        // What is shown stays while it is paused, and what comes then is of all the time since.
        if Instant::now() >= next && !screen.is_paused {
            before = Some(now);
            now = source.read()?;
            next = now.at + interval;
        }
    }
}
