// SPDX-License-Identifier: GPL-2.0

//! Does one thing over and over, and each time has the kernel fail another of the calls that it makes
//! for that: the first, the second, and so on until the thing is done and nothing was left to fail.
//!
//! Which calls can fail is for debugfs to say: allocations, or a function that `fail_function` knows.
//! See `Documentation/fault-injection/fault-injection.rst` of the kernel.

use std::{
    collections::BTreeMap,
    ffi::CString,
    fs,
    fs::{
        File,
        OpenOptions, //
    },
    io::{
        self,
        Read,
        Seek,
        SeekFrom,
        Write, //
    },
    os::unix::fs::{
        FileExt,
        OpenOptionsExt, //
    },
    path::Path,
    process::Command,
};

use anyhow::{
    bail,
    ensure,
    Context,
    Result, //
};
use clap::Args;
use nix::{
    errno::Errno,
    kmod::{
        delete_module,
        finit_module,
        DeleteModuleFlags,
        ModuleInitFlags, //
    },
};

use crate::link::Links;

const FAIL_FUNCTION: &str = "/sys/kernel/debug/fail_function";

/// What failable.ko makes of [`Faults::Nth`] where a module is loaded.
const NTH_OF_NEXT: &str = "/sys/module/failable/parameters/nth_of_next";

/// What the module says where it goes on without something.
const DOES_WITHOUT: &str = "take the kernel's path";

/// How many findings are told.
const FINDINGS_MAX: usize = 8;

/// Options of `failing`.
#[derive(Args)]
pub struct Options {
    /// What undoes it, in the words that it would be done with. May be given several times.
    #[arg(long)]
    undo: Vec<String>,
    /// A file whose text, or a directory whose entries, show whether it was done.
    #[arg(long)]
    shown: Vec<String>,
    /// A command whose output shows that, too.
    #[arg(long)]
    shown_by: Option<String>,
    /// Calls of this function fail, with what it is set to return, and not allocations.
    #[arg(long)]
    function: Option<String>,
    /// The first call to fail.
    #[arg(long, default_value_t = 1)]
    first: u32,
    /// The distance to the next one.
    #[arg(long, default_value_t = 1)]
    step: u32,
    /// How many calls there are at most.
    #[arg(long, default_value_t = 100_000)]
    most: u32,
    /// write PATH VALUE, mkdir PATH, rmdir PATH, load FILE, unload NAME, add KIND NAME VNI
    /// (for other kinds than vxlan without VNI), remove NAME, up NAME, or down NAME.
    #[arg(required = true)]
    operation: Vec<String>,
}

/// Something that the kernel does in one call, once all that it needs from here is there.
enum Operation {
    Write(File, String),
    Mkdir(String),
    Rmdir(String),
    Load(File),
    Unload(CString),
    Add(String, String, u32),
    Remove(String),
    SetUp(String, bool),
}

impl Operation {
    fn parse(words: &[&str]) -> Result<Self> {
        let text = |word: &str| word.to_owned();

        Ok(match words {
            ["write", path, value] => Self::Write(
                OpenOptions::new()
                    .write(true)
                    .open(path)
                    .context(text(path))?,
                format!("{value}\n"),
            ),
            ["mkdir", path] => Self::Mkdir(text(path)),
            ["rmdir", path] => Self::Rmdir(text(path)),
            ["load", path] => Self::Load(File::open(path).context(text(path))?),
            ["unload", name] => Self::Unload(CString::new(*name)?),
            ["add", kind, name] => Self::Add(text(kind), text(name), 0),
            ["add", kind, name, vni] => Self::Add(text(kind), text(name), vni.parse()?),
            ["remove", name] => Self::Remove(text(name)),
            ["up", name] => Self::SetUp(text(name), true),
            ["down", name] => Self::SetUp(text(name), false),
            _ => bail!("{words:?}: see --help"),
        })
    }

    /// Makes everything that would otherwise be made in [`Operation::run`], and runs it there.
    fn run(words: &str, links: &Links, faults: Option<(&Faults, u32)>) -> Result<Outcome> {
        let operation = Self::parse(&words.split_whitespace().collect::<Vec<_>>())?;

        if let Some((faults, nth)) = faults {
            faults.arm(nth)?;
        }
        let result = match &operation {
            Self::Write(file, text) => {
                let mut file: &File = file;
                file.write_all(text.as_bytes())
            }
            Self::Mkdir(path) => fs::create_dir(path),
            Self::Rmdir(path) => fs::remove_dir(path),
            Self::Load(file) => {
                finit_module(file, c"", ModuleInitFlags::empty()).map_err(io::Error::from)
            }
            Self::Unload(name) => {
                delete_module(name, DeleteModuleFlags::O_NONBLOCK).map_err(io::Error::from)
            }
            Self::Add(kind, name, vni) => links.add(kind, name, *vni),
            Self::Remove(name) => links.remove(name),
            Self::SetUp(name, up) => links.set_up(name, *up),
        };
        let is_injected = match faults {
            Some((faults, _)) => faults.disarm()?,
            None => false,
        };

        Ok(Outcome {
            result: operation.settled(result),
            is_injected,
        })
    }

    /// Without memory for the answer, netlink does not tell what became of the request.
    fn settled(&self, result: io::Result<()>) -> io::Result<()> {
        let exists = |name: &str| Path::new("/sys/class/net").join(name).exists();
        let is_up = |name: &str| {
            let text = fs::read_to_string(format!("/sys/class/net/{name}/flags")).ok()?;
            let flags = i32::from_str_radix(text.trim().strip_prefix("0x")?, 16).ok()?;
            Some(flags & libc::IFF_UP != 0)
        };

        match (self, result) {
            (Self::Add(_, name, _), Err(_)) if exists(name) => Ok(()),
            (Self::Remove(name), Err(_)) if !exists(name) => Ok(()),
            (Self::SetUp(name, up), Err(_)) if is_up(name).unwrap_or_default() == *up => Ok(()),
            (_, result) => result,
        }
    }
}

struct Outcome {
    result: io::Result<()>,
    is_injected: bool,
}

/// What has a call fail.
enum Faults {
    /// The n-th of this thread that debugfs lets fail.
    Nth(File),
    /// The same, from where a module is initialised.
    NthOfNext(File),
    /// The n-th of a function, by anybody.
    Function,
}

impl Faults {
    fn new(options: &Options) -> Result<Self> {
        let Some(function) = &options.function else {
            let file = File::options()
                .read(true)
                .write(true)
                .open("/proc/thread-self/fail-nth")?;
            return match options.operation[0].as_str() {
                "load" => {
                    ensure!(Path::new(NTH_OF_NEXT).exists(), "failable.ko is not loaded");
                    Ok(Self::NthOfNext(file))
                }
                _ => Ok(Self::Nth(file)),
            };
        };

        let injected = fs::read_to_string(format!("{FAIL_FUNCTION}/inject"))?;
        ensure!(
            injected.contains(function.as_str()),
            "{function} is not set to fail"
        );
        Ok(Self::Function)
    }

    fn arm(&self, nth: u32) -> io::Result<()> {
        match self {
            Self::Nth(file) => file.write_at(nth.to_string().as_bytes(), 0).map(drop),
            Self::NthOfNext(_) => fs::write(NTH_OF_NEXT, nth.to_string()),
            Self::Function => {
                set("space", nth)?;
                set("times", 1)?;
                set("probability", 100)
            }
        }
    }

    /// Whether a call was made to fail. From now on none is.
    fn disarm(&self) -> Result<bool> {
        let mut text = [0; 16];

        match self {
            Self::Nth(file) | Self::NthOfNext(file) => {
                let len = file.read_at(&mut text, 0)?;
                file.write_at(b"0", 0)?;
                Ok(&text[..len] == b"0\n")
            }
            Self::Function => {
                set("probability", 0)?;
                let times = fs::read_to_string(format!("{FAIL_FUNCTION}/times"))?;
                Ok(times.trim() == "0")
            }
        }
    }
}

fn set(file: &str, value: u32) -> io::Result<()> {
    fs::write(format!("{FAIL_FUNCTION}/{file}"), value.to_string())
}

/// What shows the state of things.
struct State<'a> {
    options: &'a Options,
}

impl State<'_> {
    fn read(&self) -> String {
        let mut shown: Vec<_> = self
            .options
            .shown
            .iter()
            .map(|path| format!("{path}: {}", read(Path::new(path))))
            .collect();

        if let Some(command) = &self.options.shown_by {
            let output = Command::new("bash").args(["-c", command]).output();
            shown.push(match output {
                Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
                Err(error) => error.to_string(),
            });
        }
        shown.join("; ")
    }
}

fn read(path: &Path) -> String {
    match fs::read_dir(path) {
        Ok(entries) => {
            let mut names: Vec<_> = entries
                .flatten()
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect();
            names.sort();
            names.join(" ")
        }
        Err(_) => match fs::read_to_string(path) {
            Ok(text) => text.trim().to_owned(),
            Err(error) => error.kind().to_string(),
        },
    }
}

/// The kernel's log from when this is made.
struct Log(File);

impl Log {
    fn open() -> io::Result<Self> {
        let mut log = File::options()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open("/dev/kmsg")?;

        log.seek(SeekFrom::End(0))?;
        Ok(Self(log))
    }

    /// Whether the module has said since that it does without something.
    fn does_without(&mut self) -> bool {
        let mut record = [0; 8192];
        let mut found = false;

        // A record a read; an error where what came next was overwritten, and at the end.
        loop {
            match self.0.read(&mut record) {
                Ok(0) => return found,
                Ok(len) => found |= String::from_utf8_lossy(&record[..len]).contains(DOES_WITHOUT),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return found,
                Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {}
                Err(_) => return found,
            }
        }
    }
}

/// What came of it.
#[derive(Default)]
struct Sum {
    tries: u32,
    refused: u32,
    done: u32,
    without: u32,
    errors: BTreeMap<String, u32>,
    findings: Vec<String>,
}

/// Does it, and says how often it was refused, with which errors, and how often done all the same.
pub fn run(options: &Options) -> Result<()> {
    let links = Links::open()?;
    let state = State { options };
    let faults = Faults::new(options)?;
    let words = options.operation.join(" ");
    let mut log = Log::open()?;
    let mut sum = Sum::default();
    let mut goes_on = true;

    // What is read and run here for the first time needs more than it does later.
    let before = state.read();
    plainly(&words, &links).context("without a fault")?;
    let after = state.read();
    undo(options, &links)?;
    sum.expect("when it is undone", &state.read(), &before);
    log.does_without();

    for nth in (options.first..options.most).step_by(options.step as usize) {
        let outcome = Operation::run(&words, &links, Some((&faults, nth)))?;

        sum.tries += 1;
        sum.without += u32::from(log.does_without());
        match outcome.result {
            Ok(()) => {
                sum.expect(&format!("done with fault {nth}"), &state.read(), &after);
                if !outcome.is_injected {
                    undo(options, &links)?;
                    goes_on = false;
                    break;
                }
                sum.done += 1;
            }
            Err(error) => {
                if !outcome.is_injected {
                    bail!("without a fault, try {nth}: {error}");
                }
                sum.expect(&format!("refused with fault {nth}"), &state.read(), &before);
                sum.refused += 1;
                *sum.errors.entry(name_of(&error)).or_default() += 1;
                plainly(&words, &links)
                    .with_context(|| format!("the next try after fault {nth}"))?;
                log.does_without();
            }
        }
        undo(options, &links).with_context(|| format!("after fault {nth}"))?;
    }
    sum.expect("at the end", &state.read(), &before);
    ensure!(sum.refused + sum.done > 0, "no fault was injected");
    ensure!(!goes_on, "{} tries were not enough", sum.tries);
    sum.print();
    Ok(())
}

fn plainly(words: &str, links: &Links) -> Result<()> {
    Operation::run(words, links, None)?
        .result
        .with_context(|| words.to_owned())
}

fn undo(options: &Options, links: &Links) -> Result<()> {
    options
        .undo
        .iter()
        .try_for_each(|words| plainly(words, links))
}

fn name_of(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => format!("{:?}", Errno::from_raw(number)),
        None => error.to_string(),
    }
}

impl Sum {
    fn expect(&mut self, when: &str, state: &str, expected: &str) {
        if state != expected {
            self.findings
                .push(format!("{when}: {state}\nexpected: {expected}"));
        }
    }

    fn print(&self) {
        let errors: Vec<_> = self.errors.keys().map(String::as_str).collect();

        println!(
            "tries={} refused={} done={} without={} errors={} wrong={}",
            self.tries,
            self.refused,
            self.done,
            self.without,
            errors.join(","),
            self.findings.len()
        );
        for finding in self.findings.iter().take(FINDINGS_MAX) {
            println!("{finding}");
        }
    }
}
