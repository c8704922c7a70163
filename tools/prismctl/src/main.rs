// SPDX-License-Identifier: GPL-2.0

//! `prismctl` controls the kernel module prism.

mod cli;
mod commands;
mod counted;
mod doctor;
mod error;
mod output;
mod signals;
mod top;
mod trace;

use std::{
    io::Write,
    process::ExitCode, //
};

use clap::Parser;

use self::{
    cli::{
        Cli,
        Color, //
    },
    error::Error,
    output::{
        complaint,
        Output, //
    }, //
};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(why) => match error::of_arguments(std::env::args_os().skip(1), &why) {
            Some(json) => {
                writeln!(std::io::stderr(), "{json}").ok();
                return ExitCode::from(u8::try_from(why.exit_code()).unwrap_or(2));
            }
            None => why.exit(),
        },
    };
    let choice = match cli.color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::Always,
        Color::Never => anstream::ColorChoice::Never,
    };
    let mut out = Output::new(
        anstream::AutoStream::new(std::io::stdout().lock(), choice),
        cli.json,
    );

    match commands::run(cli.command, &mut out) {
        Ok(status) => status,
        // Who reads no further wants no more.
        Err(Error::Output(why)) if why.kind() == std::io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(why) => {
            let text = complaint(out.is_json(), &why.as_json(), &why);

            writeln!(std::io::stderr(), "{text}").ok();
            ExitCode::from(why.status())
        }
    }
}
