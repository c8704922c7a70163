// SPDX-License-Identifier: GPL-2.0

//! Network namespaces by the name that `ip netns` gave them.

use std::{
    fs::File,
    thread, //
};

use anyhow::{
    Context,
    Result, //
};
use nix::sched::{
    setns,
    CloneFlags, //
};

/// Moves the calling thread into the namespace `name`; the empty name is that of process 1.
pub fn enter(name: &str) -> Result<()> {
    let path = match name {
        "" => "/proc/1/ns/net".to_owned(),
        name => format!("/run/netns/{name}"),
    };
    let file = File::open(&path).with_context(|| path.clone())?;

    setns(file, CloneFlags::CLONE_NEWNET).with_context(|| format!("setns {path}"))
}

/// The result of `f` called inside the namespace `name`. What `f` opens stays usable elsewhere.
pub fn within<T: Send>(name: &str, f: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        scope
            .spawn(|| {
                enter(name)?;
                f()
            })
            .join()
            .expect("the thread does not panic")
    })
}
