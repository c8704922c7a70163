// SPDX-License-Identifier: GPL-2.0

//! Draws what a terminal shows, from standard input, as SVG.

use std::io::{
    read_to_string,
    stdin,
    stdout,
    Result,
    Write, //
};

use anstyle_svg::Term;

fn main() -> Result<()> {
    let screen = read_to_string(stdin())?;

    stdout().write_all(Term::new().render_svg(screen.trim_end()).as_bytes())
}
