// SPDX-License-Identifier: GPL-2.0

//! Who changes a configuration.

use std::{
    fs::{
        File,
        Permissions, //
    },
    io,
    os::unix::fs::{
        OpenOptionsExt,
        PermissionsExt, //
    },
    path::Path,
    thread,
    time::{
        Duration,
        Instant, //
    },
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

/// Who can open the file can keep everyone from changing anything.
const MODE: u32 = 0o600;

/// For how long a change that somebody else makes is nothing to speak of.
const SOON: Duration = Duration::from_secs(1);

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

    /// The same, and says what it waits for where that takes more than a second.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`], [`Error::Read`].
    pub fn take_and_tell(tell: impl FnOnce(&str)) -> Result<Self, Error> {
        let until = Instant::now() + SOON;

        while Instant::now() < until {
            if let Some(lock) = Self::try_take()? {
                return Ok(lock);
            }
            thread::sleep(Duration::from_millis(20));
        }
        tell(LOCK);
        Self::take()
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
        let file = open(Path::new(LOCK))
            .map_err(|why| Errno::from_raw(why.raw_os_error().unwrap_or(0)))?;

        Flock::lock(file, how).map(Self).map_err(|(_, errno)| errno)
    }
}

/// The file of a lock, which nobody else can open, whoever made it.
fn open(path: &Path) -> io::Result<File> {
    let file = File::options()
        .create(true)
        .append(true)
        .mode(MODE)
        .open(path)?;

    if file.metadata()?.permissions().mode() & 0o777 != MODE {
        // prismd, which is not root, may not do that to a file of root's.
        file.set_permissions(Permissions::from_mode(MODE)).ok();
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_can_open_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let mode = || path.metadata().unwrap().permissions().mode() & 0o777;

        open(&path).unwrap();
        assert_eq!(mode(), 0o600);
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        open(&path).unwrap();
        assert_eq!(mode(), 0o600);
    }
}
