// SPDX-License-Identifier: GPL-2.0

//! Does one thing with a file, or several, and prints `ok` or the name of the error for each.

use std::{
    fs,
    io::{
        self,
        Write, //
    },
    path::PathBuf, //
};

use anyhow::{
    bail,
    Result, //
};
use clap::{
    Args,
    Subcommand, //
};
use nix::{
    errno::Errno,
    unistd::{
        setgroups,
        setresgid,
        setresuid,
        Gid,
        Uid, //
    }, //
};

/// What to do.
#[derive(Subcommand)]
pub enum Options {
    /// Writes each VALUE and a newline to the PATH before it, in one call each.
    Write(Writes),
    /// Makes directories.
    Mkdir(Paths),
    /// Removes directories.
    Rmdir(Paths),
}

/// What to write, and as whom.
#[derive(Args)]
pub struct Writes {
    /// The user to be.
    #[arg(long)]
    uid: Option<u32>,
    /// PATH VALUE, as often as one likes.
    #[arg(required = true, allow_hyphen_values = true)]
    pairs: Vec<String>,
}

/// Where.
#[derive(Args)]
pub struct Paths {
    /// The user to be.
    #[arg(long)]
    uid: Option<u32>,
    #[arg(required = true)]
    paths: Vec<PathBuf>,
}

/// Does it.
pub fn run(options: &Options) -> Result<()> {
    match options {
        Options::Write(writes) => {
            become_user(writes.uid)?;
            for pair in writes.pairs.chunks(2) {
                let [path, value] = pair else {
                    bail!("{} has no value", pair[0]);
                };
                say(write(path, value));
            }
        }
        Options::Mkdir(paths) => each(paths, |path| fs::create_dir(path))?,
        Options::Rmdir(paths) => each(paths, |path| fs::remove_dir(path))?,
    }
    Ok(())
}

fn each(paths: &Paths, f: impl Fn(&PathBuf) -> io::Result<()>) -> Result<()> {
    become_user(paths.uid)?;
    paths.paths.iter().for_each(|path| say(f(path)));
    Ok(())
}

/// Gives up all privileges.
fn become_user(uid: Option<u32>) -> Result<()> {
    let Some(uid) = uid else { return Ok(()) };
    let (user, group) = (Uid::from_raw(uid), Gid::from_raw(uid));

    setgroups(&[])?;
    setresgid(group, group, group)?;
    setresuid(user, user, user)?;
    Ok(())
}

/// Writes as a shell's `echo` does.
pub fn write(path: &str, value: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).open(path)?;

    file.write_all(format!("{value}\n").as_bytes())
}

fn say(result: io::Result<()>) {
    match result {
        Ok(()) => println!("ok"),
        Err(error) => match error.raw_os_error() {
            Some(number) => println!("{:?}", Errno::from_raw(number)),
            None => println!("{error}"),
        },
    }
}
