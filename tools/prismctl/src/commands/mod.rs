// SPDX-License-Identifier: GPL-2.0

//! The commands.

mod config;
mod knob;
mod left_out;
mod rule;
mod stats;
mod status;

use std::{
    io::Write,
    process::ExitCode,
    time::Duration, //
};

use prism_config::{
    Lock,
    Module,
    Plan,
    State,
    Target, //
};

use crate::{
    cli::{
        Command,
        Rule, //
    },
    doctor::doctor,
    error::Error,
    output::Output,
    signals::Held,
    top::{
        top,
        Options, //
    },
    trace::{
        trace,
        Until, //
    },
};

/// Does what a command says. The exit status, where it is not a failure that decides.
pub(crate) fn run(command: Command, out: &mut Output) -> Result<ExitCode, Error> {
    match command {
        Command::Status => status::status(out)?,
        Command::Rule(Rule::Add {
            name,
            fields,
            disabled,
        }) => rule::add(out, &name, &fields, disabled)?,
        Command::Rule(Rule::Set { name, fields }) => rule::set(out, &name, &fields)?,
        Command::Rule(Rule::Del { names }) => rule::del(out, &names)?,
        Command::Rule(Rule::List) => rule::list(out)?,
        Command::Rule(Rule::Show { name }) => rule::show(out, &name)?,
        Command::Mode { mode } => knob::show_or_set(out, "mode", mode)?,
        Command::Isolate { isolate } => knob::show_or_set(out, "isolate", isolate)?,
        Command::Get { knobs } => knob::get(out, &knobs)?,
        Command::Set { values } => knob::set(out, &values)?,
        Command::Apply { file, check: true } => config::check(out, &file)?,
        Command::Apply { file, check: false } => config::apply(out, &file)?,
        Command::Save { file } => config::save(out, file)?,
        Command::Diff { file } => return config::diff(out, &file),
        Command::Doctor { wait } => doctor(out, wait)?,
        Command::Top {
            once,
            batch,
            interval,
            latency,
        } => top(
            out,
            &Options {
                times: if once { Some(1) } else { batch },
                interval: Duration::from_secs(interval),
                measures: latency,
            },
        )?,
        Command::Trace {
            flow,
            count,
            seconds,
        } => trace(out, &flow, &Until { count, seconds })?,
        Command::Stats {
            all,
            rules,
            cpus,
            histogram,
        } => stats::stats(
            out,
            &stats::Options {
                is_all: all,
                rules,
                cpus,
                histogram,
            },
        )?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Has `f` change a copy of the rules and say which knobs are turned, and then makes it like that. Who
/// wants JSON is told what has changed.
fn change(out: &mut Output, f: impl FnOnce(&mut State) -> Result<(), Error>) -> Result<(), Error> {
    let module = Module::open()?;
    let plan = {
        let _lock = lock(out)?;
        let now = module.state()?;
        // Knobs that are not touched are not wanted otherwise.
        let mut wanted = State {
            rules: now.rules.clone(),
            ..State::default()
        };

        f(&mut wanted)?;
        let plan = Plan::new(&now, &wanted, |_| false);
        carry_out(&plan, &module)?;
        plan
    };

    if out.is_json() {
        config::show_done(out, &plan)?;
    }
    Ok(())
}

/// Waits until nobody else changes the configuration, and says so but to who wants JSON.
fn lock(out: &Output) -> Result<Lock, Error> {
    if out.is_json() {
        return Ok(Lock::take()?);
    }
    Ok(Lock::take_and_tell(|path| {
        writeln!(
            std::io::stderr(),
            "prismctl: another command changes the configuration ({path}): waiting"
        )
        .ok();
    })?)
}

/// Carries a plan out, as a whole or not at all whatever comes.
fn carry_out(plan: &Plan, module: &Module) -> Result<(), Error> {
    let _held = Held::new()?;

    Ok(plan.carry_out(module)?)
}

/// What stands on either side of the first `=`.
pub(crate) fn pair(text: &str) -> Result<(&str, &str), Error> {
    text.split_once('=')
        .ok_or_else(|| Error::Value(format!("\"{}\": expected NAME=VALUE", text.escape_debug())))
}
