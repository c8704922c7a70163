// SPDX-License-Identifier: GPL-2.0

//! `status`: what is on, and why something is not accelerated.

use std::{
    collections::BTreeMap,
    fs,
    io::{
        self,
        Write, //
    },
    path::Path,
};

use prism_config::{
    Error as ModuleError,
    Group,
    Module,
    Target,
    LEFT_OUT, //
};
use serde::Serialize;

use super::{
    left_out::{
        told,
        Told, //
    },
    stats,
};
use crate::{
    error::Error,
    output::{
        styled,
        visible,
        Output,
        BAD,
        BOLD,
        GOOD,
        WARN, //
    },
};

/// What tells how packets went.
const WAYS: [Group; 2] = [Group::Classified, Group::Way];

#[derive(Serialize)]
struct Status {
    version: Option<String>,
    kernel: Option<String>,
    mode: String,
    isolate: bool,
    accelerate: String,
    /// `None` for who may not know.
    devices: Option<String>,
    /// What the module has seen that cannot be.
    broken: Option<String>,
    rules: usize,
    /// `None` for who may not know.
    enabled: Option<usize>,
    classified: u64,
    /// How packets went.
    ways: BTreeMap<&'static str, u64>,
    /// Why nothing is, or not all.
    hints: Vec<String>,
    /// What `prismd` says of containers that have no rule; `None` without one.
    left_out: Option<Told>,
    reasons: BTreeMap<&'static str, u64>,
}

/// What is only root's to know, or `None`.
fn private<T>(result: Result<T, ModuleError>) -> Result<Option<T>, ModuleError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(ModuleError::Denied(_)) => Ok(None),
        Err(why) => Err(why),
    }
}

impl Status {
    fn new(module: &Module, counts: &BTreeMap<String, u64>) -> Result<Self, ModuleError> {
        let names = module.names()?;
        let mut enabled = Some(0);

        for name in &names {
            match private(module.rule(name)) {
                Ok(rule) => {
                    enabled = enabled
                        .zip(rule)
                        .map(|(count, rule)| count + usize::from(rule.enabled));
                }
                Err(ModuleError::NoRule(_)) => (),
                Err(why) => return Err(why),
            }
        }
        let reasons = Group::ALL
            .into_iter()
            .filter(|group| group.is_reason())
            .flat_map(|group| stats::counters(counts, group))
            .filter(|(counter, count)| *count != 0 && !counter.is_normal)
            .map(|(counter, count)| (counter.name, count));
        let broken = module.value("broken")?;
        let mut status = Self {
            version: module.version(),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .ok()
                .map(|release| release.trim_end().to_owned()),
            mode: module.value("mode")?,
            isolate: module.value("isolate")? == "1",
            accelerate: module.value("accelerate")?,
            devices: private(module.value("devices"))?,
            broken: Some(broken).filter(|broken| broken != "none"),
            rules: names.len(),
            enabled,
            classified: counts.get("classified").copied().unwrap_or(0),
            ways: WAYS
                .into_iter()
                .flat_map(|group| stats::counters(counts, group))
                .map(|(counter, count)| (counter.name, count))
                .collect(),
            hints: Vec::new(),
            left_out: told(Path::new(LEFT_OUT)),
            reasons: reasons.collect(),
        };

        status.hints = status.find_hints();
        Ok(status)
    }

    /// What keeps everything from being accelerated.
    fn find_hints(&self) -> Vec<String> {
        let mut hints = Vec::new();
        let is_on = self.mode != "off" || self.isolate;

        if let Some(broken) = &self.broken {
            hints.push(format!(
                "the module has turned itself off: {broken}; after a look at the kernel's log, echo none >/sys/kernel/prism/broken"
            ));
        } else if self.mode == "off" {
            let alone = if self.isolate {
                ", so that isolation alone is in force"
            } else {
                ""
            };

            hints.push(format!("the mode is off{alone}: prismctl mode sync"));
        }
        if self.enabled == Some(0) {
            hints.push(match self.rules {
                0 => "there is no rule: prismctl rule add".to_owned(),
                _ => "no rule is enabled: prismctl rule set NAME enabled=yes".to_owned(),
            });
        }
        match self.devices.as_deref() {
            Some("auto") => hints.push("no device receives: prismctl set devices=NAME".to_owned()),
            Some("") => hints.push(
                "none of the devices that were chosen is there: prismctl set devices=auto"
                    .to_owned(),
            ),
            _ => (),
        }
        if is_on && self.enabled.is_some_and(|enabled| enabled != 0) && self.classified == 0 {
            hints.push("no packet has met a rule yet".to_owned());
        }
        hints
    }

    fn print(&self, out: &mut dyn Write, counts: &BTreeMap<String, u64>) -> io::Result<()> {
        let unknown = "only root may know";
        let mode = if self.mode == "off" { WARN } else { GOOD };
        let isolate = if self.isolate { "on" } else { "off" };
        let enabled = self.enabled.map_or_else(
            || unknown.to_owned(),
            |enabled| format!("{enabled} enabled"),
        );

        writeln!(
            out,
            "module      {}, kernel {}",
            self.version.as_deref().unwrap_or("unknown"),
            self.kernel.as_deref().unwrap_or("unknown")
        )?;
        writeln!(out, "mode        {}", styled(mode, &self.mode))?;
        writeln!(out, "isolate     {isolate}")?;
        writeln!(out, "accelerate  {}", self.accelerate)?;
        writeln!(
            out,
            "devices     {}",
            self.devices
                .as_deref()
                .map_or_else(|| unknown.to_owned(), visible)
        )?;
        writeln!(out, "rules       {}, {enabled}", self.rules)?;
        for group in WAYS {
            for (counter, count) in stats::counters(counts, group).filter(|(_, count)| *count != 0)
            {
                writeln!(out, "{}", stats::line(counter, count))?;
            }
        }
        for hint in &self.hints {
            let style = if self.broken.is_some() { BAD } else { WARN };

            writeln!(out, "{}", styled(style, hint))?;
        }
        if let Some(left_out) = &self.left_out {
            left_out.print(out)?;
        }
        if !self.reasons.is_empty() {
            writeln!(
                out,
                "{}",
                styled(
                    BOLD,
                    "not accelerated, or not all the way, since the module was loaded"
                )
            )?;
        }
        for group in Group::ALL.into_iter().filter(|group| group.is_reason()) {
            for (counter, count) in stats::counters(counts, group) {
                if self.reasons.contains_key(counter.name) {
                    writeln!(out, "{}", stats::line(counter, count))?;
                }
            }
        }
        Ok(())
    }
}

pub(super) fn status(out: &mut Output) -> Result<(), Error> {
    let module = Module::open()?;
    let counts = module.counters()?;
    let status = Status::new(&module, &counts)?;

    out.print(&status, |out| status.print(out, &counts))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said where something is on, or not, and packets have met rules.
    fn hints(mode: &str, isolate: bool, broken: Option<&str>) -> Vec<String> {
        let status = Status {
            version: None,
            kernel: None,
            mode: mode.to_owned(),
            isolate,
            accelerate: "high".to_owned(),
            devices: Some("auto eth0".to_owned()),
            broken: broken.map(str::to_owned),
            rules: 1,
            enabled: Some(1),
            classified: 1,
            ways: BTreeMap::new(),
            hints: Vec::new(),
            left_out: None,
            reasons: BTreeMap::new(),
        };

        status.find_hints()
    }

    #[test]
    fn a_mode_that_is_off_is_told() {
        assert_eq!(hints("sync", true, None), Vec::<String>::new());
        assert_eq!(hints("sync", false, None), Vec::<String>::new());
        assert_eq!(
            hints("off", false, None),
            ["the mode is off: prismctl mode sync"]
        );
        assert_eq!(
            hints("off", true, None),
            ["the mode is off, so that isolation alone is in force: prismctl mode sync"]
        );
    }

    #[test]
    fn what_is_broken_is_told_instead() {
        let hints = hints("off", false, Some("in_flight"));

        assert_eq!(hints.len(), 1);
        assert!(hints[0].starts_with("the module has turned itself off: in_flight; "));
    }
}
