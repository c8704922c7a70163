// SPDX-License-Identifier: GPL-2.0

//! Makes broken copies of the module's sources: each with one change, which a model has to find.

use std::{
    env,
    fs,
    path::Path, //
};

/// A copy: its name, the file it is of, what is replaced, and by what. What is replaced is there once.
const BROKEN: [(&str, &str, &str, &str); 7] = [
    (
        "cell_not_exchanged",
        "rust/cell.rs",
        "if self.is_taken.swap(true, Ordering::Acquire) {\n            return None;\n        }",
        "if self.is_taken.load(Ordering::Acquire) {\n            return None;\n        }\n        \
         self.is_taken.store(true, Ordering::Relaxed);",
    ),
    (
        "cell_relaxed_release",
        "rust/cell.rs",
        "Ordering::Release",
        "Ordering::Relaxed",
    ),
    (
        "cell_not_released",
        "rust/cell.rs",
        "self.is_taken.store(false, Ordering::Release);",
        "",
    ),
    (
        "bucket_not_exchanged",
        "prism/classify/bucket.rs",
        "match self.earned.compare_exchange_weak(
                earned,
                next,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {",
        "self.earned.store(next, Ordering::Relaxed);
            match Ok::<u64, u64>(next) {",
    ),
    (
        "bucket_not_retried",
        "prism/classify/bucket.rs",
        "Err(other) => earned = other,",
        "Err(_) => return false,",
    ),
    (
        "inflight_not_cleared",
        "rust/inflight.rs",
        "cell.skb.store(core::ptr::null_mut(), Ordering::Relaxed);\n        result",
        "result",
    ),
    (
        "inflight_of_all_cpus",
        "rust/inflight.rs",
        "self.0.get(cx)",
        "{ let _ = cx; self.0.first() }",
    ),
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for (name, file, from, to) in BROKEN {
        let path = Path::new("../..").join(file);
        println!("cargo:rerun-if-changed={}", path.display());
        let source = fs::read_to_string(&path).unwrap();

        assert_eq!(
            source.matches(from).count(),
            1,
            "{name}: what is to be broken in {file} is not there once any more"
        );
        // Documentation of a module may not be included.
        let broken = source.replace(from, to).replace("//!", "//");
        let to = Path::new(&env::var("OUT_DIR").unwrap()).join(format!("{name}.rs"));
        fs::write(to, broken).unwrap();
    }
}
