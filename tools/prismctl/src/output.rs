// SPDX-License-Identifier: GPL-2.0

//! What is printed.

use std::{
    fmt::Display,
    io::{
        self,
        StdoutLock,
        Write, //
    },
};

use anstyle::{
    AnsiColor,
    Style, //
};
use serde::Serialize;
use serde_json::Value;

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();

/// Standard output, in one of two forms.
pub(crate) struct Output {
    out: anstream::AutoStream<StdoutLock<'static>>,
    is_json: bool,
}

impl Output {
    pub(crate) fn new(out: anstream::AutoStream<StdoutLock<'static>>, is_json: bool) -> Self {
        Self { out, is_json }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.is_json
    }

    /// Prints `value` as JSON, or calls `f` to print it for people.
    pub(crate) fn print<T: Serialize>(
        &mut self,
        value: &T,
        f: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.is_json {
            serde_json::to_writer_pretty(&mut self.out, value)?;
            writeln!(self.out)?;
        } else {
            f(&mut self.out)?;
        }
        self.out.flush()
    }
}

impl Output {
    /// Prints one of many values: as a line of JSON, or by `f` for people.
    pub(crate) fn line<T: Serialize>(
        &mut self,
        value: &T,
        f: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.is_json {
            serde_json::to_writer(&mut self.out, value)?;
            writeln!(self.out)?;
        } else {
            f(&mut self.out)?;
        }
        self.out.flush()
    }
}

/// Text in a style.
pub(crate) fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// A name that somebody else has chosen, with what a terminal would obey made visible.
pub(crate) fn visible(name: &str) -> String {
    prism_config::visible(name, |c| matches!(c, '\'' | '"' | '\\'))
}

/// A number, or that it is not known.
pub(crate) fn number(number: Option<u64>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| number.to_string())
}

/// What standard error has of something: as JSON, or for people.
pub(crate) fn complaint(is_json: bool, json: &Value, text: impl Display) -> String {
    match is_json {
        true => json.to_string(),
        false => format!("prismctl: {text}"),
    }
}

/// Lines whose columns stand below each other, two spaces apart. The first line is a heading.
pub(crate) struct Table(Vec<Vec<String>>);

impl Table {
    pub(crate) fn new(heading: &[&str]) -> Self {
        Self(vec![heading
            .iter()
            .map(|word| (*word).to_owned())
            .collect()])
    }

    pub(crate) fn line(&mut self, cells: Vec<String>) {
        self.0.push(cells);
    }

    pub(crate) fn print(&self, to: &mut dyn Write) -> io::Result<()> {
        let columns = self.0.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column| {
            let cells = self.0.iter().filter_map(|line| line.get(column));

            cells
                .map(|cell: &String| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();

        for (number, line) in self.0.iter().enumerate() {
            let cells = line
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:width$}"));
            let text = cells.collect::<Vec<_>>().join("  ");
            let style = if number == 0 { BOLD } else { Style::new() };

            writeln!(to, "{}", styled(style, text.trim_end()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_visible() {
        assert_eq!(visible("eth0"), "eth0");
        assert_eq!(visible("a\x1b[31mb\n"), "a\\u{1b}[31mb\\n");
        assert_eq!(visible(r#"it's "a\b""#), r#"it's "a\b""#);
    }

    #[test]
    fn what_is_not_known_is_no_number() {
        assert_eq!(number(Some(0)), "0");
        assert_eq!(number(None), "-");
    }

    #[test]
    fn columns_stand_below_each_other() {
        let mut table = Table::new(&["A", "LONG"]);
        let mut out = Vec::new();

        table.line(vec!["word".into(), "x".into()]);
        table.print(&mut out).unwrap();
        assert_eq!(
            anstream::adapter::strip_bytes(&out).into_vec(),
            b"A     LONG\nword  x\n"
        );
    }
}
