// SPDX-License-Identifier: GPL-2.0

//! `doctor`: what operators of container networks suffer from, found by what the kernel counts.

mod device;
mod findings;
pub(crate) mod host;
pub(crate) mod namespace;

use std::{
    thread,
    time::Duration, //
};

use crate::{
    error::Error,
    output::{
        styled,
        Output,
        BAD,
        GOOD,
        WARN, //
    },
};

use self::{
    findings::{
        Finding,
        Severity, //
    },
    host::Host, //
};

/// Looks for so long, and prints what is found.
pub(crate) fn doctor(out: &mut Output, seconds: u64) -> Result<(), Error> {
    let before = Host::read_all()?;

    thread::sleep(Duration::from_secs(seconds));
    let findings = findings::of(&before, &Host::read_all()?);

    out.print(&findings, |out| {
        if findings.is_empty() {
            return writeln!(out, "{}", styled(GOOD, "nothing was found"));
        }
        findings.iter().try_for_each(|finding| print(finding, out))
    })?;
    Ok(())
}

/// Where the text begins.
const INDENT: usize = 9;

fn print(finding: &Finding, out: &mut dyn std::io::Write) -> std::io::Result<()> {
    let (style, word) = match finding.severity {
        Severity::Now => (BAD, "now"),
        Severity::Earlier => (WARN, "earlier"),
        Severity::Setting => (WARN, "setting"),
        Severity::Unseen => (WARN, "unseen"),
    };

    // Beside the word, in what is left of a terminal's width.
    let width = textwrap::termwidth().clamp(40, 100) - INDENT;

    for (number, line) in textwrap::wrap(&finding.what, width).iter().enumerate() {
        let word = if number == 0 { word } else { "" };

        writeln!(out, "{}{line}", styled(style, format!("{word:INDENT$}")))?;
    }
    for command in &finding.commands {
        writeln!(out, "{:INDENT$}    {command}", "")?;
    }
    Ok(())
}
