// SPDX-License-Identifier: GPL-2.0

//! What the guest tells of its recordings.

use std::rc::Rc;

use anyhow::{
    bail,
    Context,
    Result, //
};

use crate::symbols::Symbols;

/// A recording, as the guest knows it.
#[derive(Debug)]
pub struct Told {
    pub name: String,
    /// The functions that there were.
    pub symbols: Rc<Symbols>,
    /// How many packets reached their sockets.
    pub received: u32,
    /// The time that they took from their arrival to there, all together, in ns.
    pub total_ns: u64,
}

impl Told {
    /// The mean time from arrival to socket, as the NIC has measured it.
    #[must_use]
    pub fn mean_ns(&self) -> f64 {
        self.total_ns as f64 / f64::from(self.received.max(1))
    }
}

/// Reads what the guest tells: sections `symbols` and `column NAME`.
///
/// # Errors
///
/// What the guest complains of, and what it should not tell.
pub fn read(text: &str) -> Result<Vec<Told>> {
    let mut columns = Vec::new();
    let mut symbols = Rc::new(Symbols::default());
    let mut lines = text.lines().peekable();

    while let Some(head) = lines.next() {
        let mut section = Vec::new();
        while let Some(line) = lines.next_if(|line| !is_head(line)) {
            section.push(line);
        }
        match head.split_once(' ').unwrap_or((head, "")) {
            ("symbols", "") => symbols = Rc::new(Symbols::parse(section.into_iter())?),
            ("column", name) => columns.push(column(name, &symbols, &section)?),
            ("error", why) => bail!("the guest: {why}"),
            _ => bail!("the guest: {head}"),
        }
    }
    Ok(columns)
}

fn is_head(line: &str) -> bool {
    line == "symbols" || line.starts_with("column ") || line.starts_with("error ")
}

fn column(name: &str, symbols: &Rc<Symbols>, section: &[&str]) -> Result<Told> {
    let words: Vec<_> = section
        .first()
        .context("a column without results")?
        .split(' ')
        .collect();
    let ["flow", _, "sent", sent, "received", received, "ring", _, "total", total, ..] = words[..]
    else {
        bail!("column {name}: {}", words.join(" "));
    };

    if sent != received {
        bail!("column {name}: of {sent} packets, {received} were received");
    }
    Ok(Told {
        name: name.to_owned(),
        symbols: Rc::clone(symbols),
        received: received.parse()?,
        total_ns: total.parse()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMN: &str = "column sync\nflow packet sent 2 received 2 ring 0 total 30 longest 20";

    #[test]
    fn what_a_guest_tells() {
        let text = format!("symbols\nffffffff81000000 T f\n{COLUMN}\n10 1\n20 1\n");
        let columns = read(&text).unwrap();

        assert_eq!(columns.len(), 1);
        assert_eq!((&*columns[0].name, columns[0].mean_ns()), ("sync", 15.0));
        assert!(columns[0].symbols.find(0xffff_ffff_8100_0000).is_entry);
    }

    #[test]
    fn what_a_guest_should_not_tell() {
        for text in [
            "error no NIC",
            "what is this",
            "column sync",
            "symbols\nno symbol",
            &COLUMN.replace("received 2", "received 1"),
            &format!("{COLUMN}\nerror no module"),
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
