// SPDX-License-Identifier: GPL-2.0

//! Times are measured as long as somebody looks.

use std::{
    fs::{
        self,
        File, //
    },
    io::{
        self,
        Write, //
    },
    os::unix::fs::OpenOptionsExt,
    path::{
        Path,
        PathBuf, //
    },
};

use nix::{
    errno::Errno,
    fcntl::{
        Flock,
        FlockArg, //
    },
};

use crate::error::Error;

/// Held by all who have times measured. It is empty unless one of them turned that on.
const LOCK: &str = "/run/prism-latency.lock";

/// Times are measured. Dropping it ends that, unless somebody else looks, or they were before.
pub(super) struct Measured {
    switch: PathBuf,
    /// `None` where it cannot be had.
    lock: Option<Flock<File>>,
    /// Whether this one turned it on.
    is_own: bool,
}

impl Measured {
    /// Turns `switch` on, if it is not.
    pub(super) fn new(switch: PathBuf) -> Result<Self, Error> {
        Self::with(switch, Path::new(LOCK))
    }

    fn with(switch: PathBuf, lock: &Path) -> Result<Self, Error> {
        // From here on nobody else turns it off.
        let mut lock = share(lock);
        let denied = |why: io::Error| match why.raw_os_error().map(Errno::from_raw) {
            // Debugfs refuses root only then (debugfs_locked_down()).
            Some(Errno::EPERM) => Error::LockedDown,
            Some(Errno::EACCES) => prism_config::Error::Denied(switch.clone()).into(),
            _ => Error::Io {
                path: switch.clone(),
                why,
            },
        };
        let is_own = fs::read_to_string(&switch).map_err(denied)?.trim_end() != "1";

        if is_own {
            // Said before it is done: what is on though its owner was killed is known.
            lock = lock.filter(|lock| (&**lock).write_all(b"on\n").is_ok());
            fs::write(&switch, "1\n").map_err(denied)?;
        }
        Ok(Self {
            switch,
            lock,
            is_own,
        })
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        let Some(lock) = &self.lock else {
            if self.is_own {
                fs::write(&self.switch, "0\n").ok();
            }
            return;
        };
        let is_last = lock.relock(FlockArg::LockExclusiveNonblock).is_ok();

        // Also if the one that turned it on was killed.
        if is_last && lock.metadata().is_ok_and(|lock| lock.len() != 0) {
            fs::write(&self.switch, "0\n").ok();
            lock.set_len(0).ok();
        }
    }
}

/// The lock, beside others. One that ends may have it alone for a moment.
fn share(lock: &Path) -> Option<Flock<File>> {
    let file = File::options()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(lock)
        .ok()?;

    Flock::lock(file, FlockArg::LockShared).ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A switch that is as `before`, and a lock.
    fn switch(before: &str) -> (tempfile::TempDir, PathBuf, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let (switch, lock) = (dir.path().join("enable"), dir.path().join("lock"));

        fs::write(&switch, before).unwrap();
        (dir, switch, lock)
    }

    fn is_on(switch: &Path) -> bool {
        fs::read_to_string(switch).unwrap() == "1\n"
    }

    #[test]
    fn the_last_one_turns_it_off() {
        let (_dir, switch, lock) = switch("0\n");
        let look = || Measured::with(switch.clone(), &lock).unwrap();
        let (first, second) = (look(), look());

        assert_eq!(lock.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        drop(first);
        assert!(is_on(&switch));
        let third = look();
        drop(second);
        assert!(is_on(&switch));
        drop(third);
        assert!(!is_on(&switch));
        assert_eq!(lock.metadata().unwrap().len(), 0);
    }

    #[test]
    fn what_was_measured_before_is_later() {
        let (_dir, switch, lock) = switch("1\n");
        let look = || Measured::with(switch.clone(), &lock).unwrap();
        let (first, second) = (look(), look());

        drop(first);
        drop(second);
        assert!(is_on(&switch));
    }

    #[test]
    fn what_a_killed_one_left_on_is_turned_off() {
        let (_dir, switch, lock) = switch("1\n");

        fs::write(&lock, "on\n").unwrap();
        drop(Measured::with(switch.clone(), &lock).unwrap());
        assert!(!is_on(&switch));
        drop(Measured::with(switch.clone(), &lock).unwrap());
        assert!(!is_on(&switch));
        fs::write(&switch, "1\n").unwrap();
        drop(Measured::with(switch.clone(), &lock).unwrap());
        assert!(is_on(&switch));
    }

    #[test]
    fn without_a_lock_it_is_on_for_oneself() {
        let (dir, switch, _) = switch("0\n");
        let lock = dir.path().join("none/lock");

        let measured = Measured::with(switch.clone(), &lock).unwrap();
        assert!(is_on(&switch));
        drop(measured);
        assert!(!is_on(&switch));
    }
}
