// SPDX-License-Identifier: GPL-2.0

//! One command after the other, without a process for each: to start one takes a slow kernel longer
//! than what it does.

use std::{
    io,
    thread, //
};

use anyhow::Result;
use clap::Parser;

use crate::Command;

/// What is between the words of a line.
const SEPARATOR: char = '\u{1f}';

/// Does what each line on standard input says, words of which are separated by U+001F, and says how
/// that ended in a line: `status N`.
pub fn run() -> Result<()> {
    for line in io::stdin().lines() {
        let line = line?;
        // A thread of its own, as for the scheduler each is to be a new one.
        let status = thread::spawn(move || obey(&line))
            .join()
            .expect("a panic ends the process");

        println!("status {status}");
    }
    Ok(())
}

/// The exit status of a process that would have done it.
fn obey(line: &str) -> u8 {
    let words = ["wire"].into_iter().chain(line.split(SEPARATOR));

    match Command::try_parse_from(words) {
        Ok(command) => match command.run() {
            Ok(()) => 0,
            Err(why) => {
                eprintln!("Error: {why:?}");
                1
            }
        },
        Err(why) => {
            eprint!("{why}");
            2
        }
    }
}
