// SPDX-License-Identifier: GPL-2.0

//! The configuration as a file: `apply`, `save` and `diff`.

use std::{
    fs,
    io::{
        self,
        Read,
        Write, //
    },
    os::unix::fs::OpenOptionsExt,
    path::{
        Path,
        PathBuf, //
    },
    process::ExitCode, //
};

use prism_config::{
    is_of_daemon,
    Change,
    Lock,
    Module,
    Named,
    Plan,
    State,
    Target, //
};
use serde_json::{
    json,
    Value, //
};

use crate::{
    cli::ConfigFile,
    error::Error,
    output::{
        styled,
        Output,
        BAD,
        GOOD, //
    }, //
};

/// Makes the configuration what the file says.
pub(super) fn apply(out: &mut Output, file: &ConfigFile) -> Result<(), Error> {
    let wanted = read(&file.file)?;
    let module = Module::open()?;
    let _lock = Lock::take()?;
    let plan = plan(&module, &wanted, file)?;

    plan.carry_out(&module)?;
    show(out, &plan)
}

/// Whether the file could be applied, as far as it tells itself.
pub(super) fn check(file: &ConfigFile) -> Result<(), Error> {
    read(&file.file).map(|_| ())
}

/// What applying the file would change.
pub(super) fn diff(out: &mut Output, file: &ConfigFile) -> Result<ExitCode, Error> {
    let wanted = read(&file.file)?;
    let plan = plan(&Module::open()?, &wanted, file)?;

    show(out, &plan)?;
    Ok(ExitCode::from(u8::from(!plan.is_empty())))
}

/// From the configuration as it is to that of the file.
fn plan(module: &Module, wanted: &State, file: &ConfigFile) -> Result<Plan, Error> {
    Ok(Plan::new(&module.state()?, wanted, |name| {
        file.keep || is_of_daemon(name)
    }))
}

/// Writes the configuration as it is. The file is there as a whole, or as before.
pub(super) fn save(out: &mut Output, file: Option<PathBuf>) -> Result<(), Error> {
    let mut state = Module::open()?.state()?;
    state.rules.retain(|name, _| !is_of_daemon(name));
    let text = state.to_file();
    let Some(path) = file.filter(|path| path != Path::new("-")) else {
        out.print(&json!({ "file": text }), |out| write!(out, "{text}"))?;
        return Ok(());
    };
    let mut new = path.clone().into_os_string();
    new.push(".new");
    let write = || {
        // It says who talks to whom.
        let mut file = fs::File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;

        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &path)
    };

    write().map_err(|why| Error::Io { path, why })
}

fn read(path: &Path) -> Result<State, Error> {
    let text = if path == Path::new("-") {
        let mut text = String::new();

        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(path)
    };
    let path = path.to_owned();

    match text {
        Ok(text) => text
            .parse()
            .map_err(|problems| Error::File { path, problems }),
        Err(why) => Err(Error::Io { path, why }),
    }
}

/// The changes of a plan.
fn show(out: &mut Output, plan: &Plan) -> Result<(), Error> {
    let changes: Vec<Value> = plan.changes().iter().map(as_json).collect();

    out.print(&changes, |out| {
        plan.to_string().lines().try_for_each(|line| {
            let style = if line.starts_with('+') { GOOD } else { BAD };

            writeln!(out, "{}", styled(style, line))
        })
    })?;
    Ok(())
}

fn as_json(change: &Change) -> Value {
    let rule = |name: &str, rule| Named(name, rule).to_string();

    match change {
        Change::Add(name, to) => json!({ "rule": name, "from": null, "to": rule(name, to) }),
        Change::Remove(name, from) => json!({ "rule": name, "from": rule(name, from), "to": null }),
        Change::Alter(name, from, to) => {
            json!({ "rule": name, "from": rule(name, from), "to": rule(name, to) })
        }
        Change::Turn(knob, from, to) => json!({ "knob": knob.name, "from": from, "to": to }),
    }
}
