// SPDX-License-Identifier: GPL-2.0

//! The configuration as a file: `apply`, `save` and `diff`.

use std::{
    fs::{
        self,
        File, //
    },
    io::{
        self,
        Read,
        Write, //
    },
    path::{
        Path,
        PathBuf, //
    },
    process::ExitCode, //
};

use prism_config::{
    is_of_daemon,
    Change,
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
use tempfile::NamedTempFile;

use super::{
    carry_out,
    lock, //
};
use crate::{
    cli::ConfigFile,
    error::Error,
    output::{
        complaint,
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
    let plan = {
        let _lock = lock(out)?;
        let plan = plan(&module, &wanted, file)?;

        carry_out(&plan, &module)?;
        plan
    };

    show_done(out, &plan)
}

/// The changes of a plan that was carried out. Others need not wait for who reads this, nor is anything
/// refused where nobody can.
pub(super) fn show_done(out: &mut Output, plan: &Plan) -> Result<(), Error> {
    match show(out, plan) {
        Err(Error::Output(why)) if why.kind() != io::ErrorKind::BrokenPipe => {
            let text = format!("all was applied; output: {why}");
            let json = json!({ "error": text });

            writeln!(io::stderr(), "{}", complaint(out.is_json(), &json, text)).ok();
            Ok(())
        }
        shown => shown,
    }
}

/// Whether the file could be applied, as far as it tells itself.
pub(super) fn check(out: &mut Output, file: &ConfigFile) -> Result<(), Error> {
    read(&file.file)?;
    out.print(&json!({}), |_| Ok(()))?;
    Ok(())
}

/// What applying the file would change.
pub(super) fn diff(out: &mut Output, file: &ConfigFile) -> Result<ExitCode, Error> {
    let wanted = read(&file.file)?;
    let module = Module::open()?;
    let plan = {
        let _lock = lock(out)?;

        plan(&module, &wanted, file)?
    };

    match show(out, &plan) {
        // Who reads no further still wants to know.
        Err(Error::Output(why)) if why.kind() == io::ErrorKind::BrokenPipe => (),
        shown => shown?,
    }
    Ok(ExitCode::from(u8::from(!plan.is_empty())))
}

/// From the configuration as it is to that of the file.
fn plan(module: &Module, wanted: &State, file: &ConfigFile) -> Result<Plan, Error> {
    Ok(Plan::new(&module.state()?, wanted, |name| {
        file.keep || is_of_daemon(name)
    }))
}

/// Writes the configuration as it is.
pub(super) fn save(out: &mut Output, file: Option<PathBuf>) -> Result<(), Error> {
    let module = Module::open()?;
    let mut state = {
        let _lock = lock(out)?;

        module.state()?
    };
    state.rules.retain(|name, _| !is_of_daemon(name));
    let text = state.to_file();
    let Some(path) = file.filter(|path| path != Path::new("-")) else {
        out.print(&json!({ "file": text }), |out| write!(out, "{text}"))?;
        return Ok(());
    };

    match write(&path, &text) {
        Ok(()) => out.print(&json!({ "path": path.to_string_lossy() }), |_| Ok(()))?,
        Err(why) => return Err(Error::Io { path, why }),
    }
    Ok(())
}

/// Writes a file, which is there as a whole or as before, and for its owner alone: it says who talks to
/// whom. What a link leads to is what is written; what is no file is written to as it is.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let path = match fs::metadata(path) {
        Ok(meta) if meta.is_file() => fs::canonicalize(path)?,
        Ok(_) => {
            return File::options()
                .write(true)
                .open(path)?
                .write_all(text.as_bytes())
        }
        // A link that leads nowhere is for whoever made it to mend.
        Err(why) if fs::symlink_metadata(path).is_ok() => return Err(why),
        Err(_) => path.to_owned(),
    };
    let dir = match path.parent() {
        Some(dir) if dir != Path::new("") => dir,
        _ => Path::new("."),
    };
    let mut new = NamedTempFile::new_in(dir)?;

    new.write_all(text.as_bytes())?;
    new.as_file().sync_all()?;
    new.persist(&path)?;
    Ok(())
}

fn read(path: &Path) -> Result<State, Error> {
    let text = if path == Path::new("-") {
        let mut text = Vec::new();

        io::stdin().read_to_end(&mut text).map(|_| text)
    } else {
        fs::read(path)
    };
    let path = path.to_owned();

    match text {
        Ok(text) => State::from_file(&text).map_err(|problems| Error::File { path, problems }),
        Err(why) => Err(Error::Io { path, why }),
    }
}

/// The changes of a plan.
fn show(out: &mut Output, plan: &Plan) -> Result<(), Error> {
    let changes: Vec<Value> = plan.changes().map(as_json).collect();

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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{
        symlink,
        PermissionsExt, //
    };

    use super::*;

    #[test]
    fn a_file_is_replaced_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("prism.toml");

        for text in ["isolate = true\n", "isolate = false\n"] {
            write(&path, text).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_stays_one() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("managed"), dir.path().join("link"));

        fs::write(&file, "old").unwrap();
        symlink(&file, &link).unwrap();
        write(&link, "new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert!(link.is_symlink());

        fs::remove_file(&file).unwrap();
        assert!(write(&link, "new").is_err());
        assert!(link.is_symlink());
    }

    #[test]
    fn what_is_no_file_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("null");

        symlink("/dev/null", &path).unwrap();
        write(&path, "text").unwrap();
        assert!(path.is_symlink());
        assert!(write(dir.path(), "text").is_err());
    }
}
