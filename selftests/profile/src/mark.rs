// SPDX-License-Identifier: GPL-2.0

//! Marks, in a guest, where a recording begins and ends. Does nothing anywhere else.

use std::{
    arch::asm,
    env,
    process::ExitCode, //
};

use profile::trace::{
    BEGIN,
    END, //
};

/// The displacement of a mark.
const fn displacement(mark: [u8; 7]) -> i32 {
    let [.., a, b, c, d] = mark;

    i32::from_le_bytes([a, b, c, d])
}

/// Executes the mark with this displacement.
fn execute<const DISPLACEMENT: i32>() {
    // SAFETY: It is a NOP: it accesses neither memory nor registers.
    unsafe {
        asm!(
            "nop dword ptr [rax + {}]",
            const DISPLACEMENT,
            options(nostack, preserves_flags)
        );
    }
}

fn main() -> ExitCode {
    match env::args().nth(1).as_deref() {
        Some("begin") => execute::<{ displacement(BEGIN) }>(),
        Some("end") => execute::<{ displacement(END) }>(),
        _ => {
            eprintln!("usage: mark begin|end");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
