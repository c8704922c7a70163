// SPDX-License-Identifier: GPL-2.0

//! Nothing in the compiled code can panic.

use std::process::Command;

#[test]
fn compiled_code_cannot_panic() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/no-panic.sh");
    let output = Command::new(script).output().unwrap();

    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
