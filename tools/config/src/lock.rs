// SPDX-License-Identifier: GPL-2.0

//! Who changes a configuration.

use std::{
    fs::File,
    path::Path, //
};

use nix::{
    errno::Errno,
    fcntl::{
        Flock,
        FlockArg, //
    },
};

use crate::module::{
    read_error,
    Error, //
};

const LOCK: &str = "/run/prism.lock";

/// Held while a configuration is changed, by one at a time.
pub struct Lock(#[expect(dead_code, reason = "held, not used")] Flock<File>);

impl Lock {
    /// Waits for it.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`], [`Error::Read`].
    pub fn take() -> Result<Self, Error> {
        Self::with(FlockArg::LockExclusive)
            .map_err(|errno| read_error(Path::new(LOCK), errno.into()))
    }

    /// Takes it if nobody else has it.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`], [`Error::Read`].
    pub fn try_take() -> Result<Option<Self>, Error> {
        match Self::with(FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Some(lock)),
            Err(Errno::EWOULDBLOCK) => Ok(None),
            Err(errno) => Err(read_error(Path::new(LOCK), errno.into())),
        }
    }

    fn with(how: FlockArg) -> Result<Self, Errno> {
        let file = File::options()
            .create(true)
            .append(true)
            .open(LOCK)
            .map_err(|why| Errno::from_raw(why.raw_os_error().unwrap_or(0)))?;

        Flock::lock(file, how).map(Self).map_err(|(_, errno)| errno)
    }
}
