// SPDX-License-Identifier: GPL-2.0

//! Many rules at once.

use std::{
    fs, io,
    path::Path,
    thread,
    time::{
        Duration,
        Instant, //
    },
};

use anyhow::{
    anyhow,
    Context,
    Result, //
};
use clap::{
    Args,
    Subcommand, //
};

use crate::{
    errno,
    stop, //
};

const RULES: &str = "/sys/kernel/config/prism/rules";

/// What to do with the rules.
#[derive(Subcommand)]
pub enum Options {
    /// Makes rules that differ in their number, and enables them.
    Add(Many),
    /// Disables and removes them again.
    Remove(Many),
    /// Makes a rule and removes it again, over and over.
    Flip(Flip),
    /// Writes two values to a field by turns.
    Alternate(Alternate),
}

/// Which rules.
#[derive(Args)]
pub struct Many {
    /// How many rules, or how often.
    #[arg(long)]
    count: u32,
    /// What their names start with.
    #[arg(long, default_value = "many")]
    name: String,
    /// FIELD=VALUE. In VALUE, {n} is the number of the rule from 0, {port} that plus 20000, {high}
    /// and {low} are its bytes.
    fields: Vec<String>,
}

/// Which rule, and for how long there is one.
#[derive(Args)]
pub struct Flip {
    #[command(flatten)]
    many: Many,
    /// Milliseconds.
    #[arg(long, default_value_t = 0)]
    stay: u64,
}

/// What to write where.
#[derive(Args)]
pub struct Alternate {
    path: String,
    values: Vec<String>,
    /// How often.
    #[arg(long)]
    count: u32,
}

/// Does it, and says how long it took.
pub fn run(options: &Options) -> Result<()> {
    stop::catch()?;
    let start = Instant::now();
    let mut done = 0;

    match options {
        Options::Add(many) => many.each(|name, n| add(many, &name, n), &mut done)?,
        Options::Remove(many) => many.each(|name, _| remove(&name), &mut done)?,
        Options::Flip(Flip { many, stay }) => many.each(
            |_, n| {
                add(many, &many.name, n)?;
                thread::sleep(Duration::from_millis(*stay));
                remove(&many.name)
            },
            &mut done,
        )?,
        Options::Alternate(alternate) => {
            for value in alternate
                .values
                .iter()
                .cycle()
                .take(alternate.count as usize)
            {
                if errno::write(&alternate.path, value).is_ok() {
                    done += 1;
                }
            }
        }
    }
    println!("done={done} ms={}", start.elapsed().as_millis());
    Ok(())
}

impl Many {
    fn each(&self, f: impl Fn(String, u32) -> Result<()>, done: &mut u32) -> Result<()> {
        for n in 0..self.count {
            if stop::requested() {
                break;
            }
            f(format!("{}{n}", self.name), n)?;
            *done += 1;
        }
        Ok(())
    }
}

fn add(many: &Many, name: &str, n: u32) -> Result<()> {
    let dir = format!("{RULES}/{name}");

    tolerate_existing(fs::create_dir(&dir)).with_context(|| dir.clone())?;
    for field in &many.fields {
        let (field, value) = field
            .split_once('=')
            .ok_or_else(|| anyhow!("{field} is not FIELD=VALUE"))?;
        let value = value
            .replace("{n}", &n.to_string())
            .replace("{port}", &(20000 + n).to_string())
            .replace("{high}", &(n >> 8).to_string())
            .replace("{low}", &(n & 255).to_string());
        let path = format!("{dir}/{field}");
        errno::write(&path, &value).with_context(|| format!("{path}: {value}"))?;
    }
    Ok(())
}

fn tolerate_existing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

fn remove(name: &str) -> Result<()> {
    let dir = Path::new(RULES).join(name);

    fs::remove_dir(&dir).with_context(|| dir.display().to_string())
}
