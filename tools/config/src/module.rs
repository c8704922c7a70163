// SPDX-License-Identifier: GPL-2.0

//! The module that is loaded, by its files.

use std::{
    collections::BTreeMap,
    fs::{
        self,
        File, //
    },
    io::{
        self,
        Write, //
    },
    path::{
        Path,
        PathBuf, //
    },
};

use nix::errno::Errno;

use crate::{
    knob::{
        Knob,
        KNOBS, //
    },
    plan::Target,
    rule::{
        parse_bool,
        Field,
        Rule, //
    },
    state::{
        new_rule,
        State, //
    },
};

const KNOB_DIR: &str = "/sys/kernel/prism";
const RULE_DIR: &str = "/sys/kernel/config/prism/rules";

/// Why the module cannot be asked, or does not do something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There are no files of the module's.
    #[error("the module prism is not loaded (there is no {KNOB_DIR}): modprobe prism")]
    NotLoaded,
    /// The module is there, and its rules are not.
    #[error("there is no {RULE_DIR}: mount -t configfs none /sys/kernel/config")]
    NoConfigfs,
    /// Not everyone may do that.
    #[error("{}: only root may do that", .0.display())]
    Denied(PathBuf),
    /// There is no such rule.
    #[error("there is no rule {0}")]
    NoRule(String),
    /// There is one already.
    #[error("there is a rule {0} already")]
    IsRule(String),
    /// A file cannot be read.
    #[error("{}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file has what this version of the tools does not know.
    #[error("{}: \"{}\" is not known to this version of the tools", .path.display(), .value.escape_debug())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// What it has.
        value: String,
    },
    /// The module refuses something.
    #[error("{what}: {why}")]
    Refused {
        /// What was to be done.
        what: String,
        /// Why it is not.
        why: String,
    },
}

/// What a rule has met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Packets.
    pub packets: u64,
    /// Their bytes, from the outer IP header on.
    pub bytes: u64,
    /// Those that were dropped as too much waited; `None` of a module that is older and does not count them.
    pub dropped: Option<u64>,
}

/// The module that is loaded.
#[derive(Debug)]
pub struct Module {
    knobs: PathBuf,
    rules: PathBuf,
}

impl Module {
    /// The one of this kernel.
    ///
    /// # Errors
    ///
    /// [`Error::NotLoaded`], [`Error::NoConfigfs`].
    pub fn open() -> Result<Self, Error> {
        Self::at(Path::new(KNOB_DIR), Path::new(RULE_DIR))
    }

    /// One whose files are elsewhere.
    fn at(knobs: &Path, rules: &Path) -> Result<Self, Error> {
        if !knobs.is_dir() {
            return Err(Error::NotLoaded);
        }
        if !rules.is_dir() {
            return Err(Error::NoConfigfs);
        }
        Ok(Self {
            knobs: knobs.to_owned(),
            rules: rules.to_owned(),
        })
    }

    /// The version of the module, where it tells.
    pub fn version(&self) -> Option<String> {
        let version = fs::read_to_string("/sys/module/prism/version").ok()?;

        Some(version.trim_end().to_owned())
    }

    /// The value of a file in `/sys/kernel/prism`.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`], [`Error::Read`].
    pub fn value(&self, name: &str) -> Result<String, Error> {
        read(&self.knobs.join(name))
    }

    /// The counters, by name. Those that this version does not know are there, too.
    ///
    /// # Errors
    ///
    /// [`Error::Read`].
    pub fn counters(&self) -> Result<BTreeMap<String, u64>, Error> {
        let mut counters = BTreeMap::new();
        let dir = self.knobs.join("stats");

        for name in names(&dir)? {
            let count = number(&dir.join(&name))?;

            counters.insert(name, count);
        }
        Ok(counters)
    }

    /// What a rule has met.
    ///
    /// # Errors
    ///
    /// [`Error::NoRule`], [`Error::Denied`], [`Error::Read`].
    pub fn counts(&self, name: &str) -> Result<Counts, Error> {
        let dir = self.dir(name)?;

        let count = |file| number(&dir.join(file)).map_err(|why| or_gone(why, name, &dir));

        Ok(Counts {
            packets: count("packets")?,
            bytes: count("bytes")?,
            dropped: match count("dropped") {
                Err(Error::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
                dropped => Some(dropped?),
            },
        })
    }

    fn dir(&self, name: &str) -> Result<PathBuf, Error> {
        let dir = self.rules.join(name);

        // A name that is none might lead elsewhere.
        if crate::rule::check_name(name.as_bytes()).is_err() || !dir.is_dir() {
            return Err(Error::NoRule(name.to_owned()));
        }
        Ok(dir)
    }
}

impl Target for Module {
    fn state(&self) -> Result<State, Error> {
        let mut state = State::default();

        for knob in &KNOBS {
            let text = match self.value(knob.name) {
                // A module that is older does not have all.
                Err(Error::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                    continue
                }
                text => text?,
            };
            let value = knob
                .shown(&text)
                .map_err(|_| unknown(self.knobs.join(knob.name), text))?;

            state.knobs.insert(knob.name, value);
        }
        for name in self.names()? {
            let rule = match self.rule(&name) {
                // It went meanwhile.
                Err(Error::NoRule(_)) => continue,
                rule => rule?,
            };

            state.rules.insert(name, rule);
        }
        Ok(state)
    }

    fn names(&self) -> Result<Vec<String>, Error> {
        names(&self.rules)
    }

    fn rule(&self, name: &str) -> Result<Rule, Error> {
        let dir = self.dir(name)?;
        let mut rule = new_rule();

        for field in Field::ALL {
            let path = dir.join(field.name());
            let text = match read(&path) {
                // A module that is older does not have all.
                Err(Error::Read { source, .. })
                    if source.kind() == io::ErrorKind::NotFound && dir.is_dir() =>
                {
                    continue
                }
                text => text.map_err(|why| or_gone(why, name, &dir))?,
            };

            field
                .set(&mut rule, &text)
                .map_err(|_| unknown(path, text))?;
        }
        let path = dir.join("enabled");
        let text = read(&path).map_err(|why| or_gone(why, name, &dir))?;
        rule.enabled = parse_bool(&text).map_err(|_| unknown(path, text))?;
        Ok(rule)
    }

    fn make(&self, name: &str) -> Result<(), Error> {
        let dir = self.rules.join(name);

        fs::create_dir(&dir).map_err(
            |why| match Errno::from_raw(why.raw_os_error().unwrap_or(0)) {
                Errno::EEXIST => Error::IsRule(name.to_owned()),
                Errno::EACCES | Errno::EPERM => Error::Denied(dir),
                Errno::ENOSPC => refused(
                    format!("rule {name}"),
                    "there are as many rules as the module's parameter max_rules allows".to_owned(),
                ),
                _ => refused(format!("rule {name}"), why.to_string()),
            },
        )
    }

    fn remove(&self, name: &str) -> Result<(), Error> {
        let dir = self.dir(name)?;

        fs::remove_dir(&dir).map_err(|why| match why.kind() {
            io::ErrorKind::PermissionDenied => Error::Denied(dir),
            _ => refused(format!("removing rule {name}"), why.to_string()),
        })
    }

    fn set(&self, name: &str, field: Field, text: &str) -> Result<(), Error> {
        write(&self.dir(name)?.join(field.name()), text, || {
            format!("rule {name}, {}={text}", field.name())
        })
    }

    fn enable(&self, name: &str, is_enabled: bool) -> Result<(), Error> {
        let text = if is_enabled { "1" } else { "0" };

        write(&self.dir(name)?.join("enabled"), text, || {
            let verb = if is_enabled { "enabling" } else { "disabling" };

            format!("{verb} rule {name}")
        })
    }

    fn turn(&self, knob: &Knob, text: &str) -> Result<(), Error> {
        write(&self.knobs.join(knob.name), text, || {
            format!("{}={text}", knob.name)
        })
    }
}

fn unknown(path: PathBuf, value: String) -> Error {
    Error::Unknown { path, value }
}

fn refused(what: String, why: String) -> Error {
    Error::Refused { what, why }
}

pub(crate) fn read_error(path: &Path, source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::PermissionDenied => Error::Denied(path.to_owned()),
        // It was unloaded meanwhile.
        io::ErrorKind::NotFound if path.starts_with(KNOB_DIR) && !Path::new(KNOB_DIR).exists() => {
            Error::NotLoaded
        }
        _ => Error::Read {
            path: path.to_owned(),
            source,
        },
    }
}

/// The line that a file has.
fn read(path: &Path) -> Result<String, Error> {
    let text = fs::read_to_string(path).map_err(|why| read_error(path, why))?;

    Ok(text.trim_end().to_owned())
}

/// What a failure to read a rule's file means where the rule has gone meanwhile.
fn or_gone(why: Error, name: &str, dir: &Path) -> Error {
    match dir.is_dir() {
        true => why,
        false => Error::NoRule(name.to_owned()),
    }
}

fn number(path: &Path) -> Result<u64, Error> {
    let text = read(path)?;

    text.parse().map_err(|_| unknown(path.to_owned(), text))
}

/// What is in a directory, in the order of the characters' codes.
fn names(dir: &Path) -> Result<Vec<String>, Error> {
    let entries = fs::read_dir(dir).map_err(|why| read_error(dir, why))?;
    let mut names = entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<Vec<_>, io::Error>>()
        .map_err(|why| read_error(dir, why))?;

    names.sort();
    Ok(names)
}

/// Writes a value at once, as the files want it.
fn write(path: &Path, text: &str, what: impl FnOnce() -> String) -> Result<(), Error> {
    // An empty write does not reach the module.
    overwrite(path, &format!("{text}\n")).map_err(|why| {
        let errno = Errno::from_raw(why.raw_os_error().unwrap_or(0));
        let reason = match errno {
            Errno::EACCES | Errno::EPERM => return Error::Denied(path.to_owned()),
            Errno::ENODEV => "no device has that name".to_owned(),
            Errno::ENOENT => "the module that is loaded has no such file".to_owned(),
            Errno::EBUSY => {
                "a hook that the packet path needs cannot be had, or the rule is enabled".to_owned()
            }
            Errno::E2BIG => {
                "the enabled rules have too many combinations of fields, or are too many".to_owned()
            }
            Errno::EIO => {
                "the module has turned itself off; /sys/kernel/prism/broken says why".to_owned()
            }
            Errno::EOPNOTSUPP => "this kernel cannot do that".to_owned(),
            _ => why.to_string(),
        };

        refused(what(), format!("{reason} (the kernel's log may say more)"))
    })
}

/// Writes a file that is there; none is made.
fn overwrite(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::options().write(true).truncate(true).open(path)?;

    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests;
