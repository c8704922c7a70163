// SPDX-License-Identifier: GPL-2.0

//! The containers that ask for a class and have no rule, as `prismd` tells `prismctl` in a file.
//!
//! The file is replaced as a whole, and whoever wrote it holds a lock on it as long as it lives: one
//! without is what a daemon left behind that was killed. It has names of containers, which are root's
//! to know, and so are the file and its directory.

use std::{
    fs::{
        self,
        DirBuilder,
        File,
        OpenOptions, //
    },
    io::{
        self,
        Read,
        Write, //
    },
    os::unix::fs::{
        DirBuilderExt,
        MetadataExt,
        OpenOptionsExt, //
    },
    path::{
        Path,
        PathBuf, //
    },
};

use nix::{
    errno::Errno,
    fcntl::{
        Flock,
        FlockArg,
        OFlag, //
    },
};
use serde::{
    Deserialize,
    Serialize, //
};

/// Where the daemon of this host writes.
pub const LEFT_OUT: &str = "/run/prismd/left-out.json";

/// What a reader takes at most, in bytes: some ten thousand containers.
const LIMIT: u64 = 4 << 20;

/// A container that asks for a class, and has no rule, or none for one of its networks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The short form of its ID.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The name of the network; empty for all of the container.
    pub network: String,
    /// Why, in a word.
    pub reason: String,
    /// The same for people.
    pub text: String,
}

/// What the file has.
#[derive(Debug, Serialize, Deserialize)]
struct Content {
    containers: Vec<LeftOut>,
}

/// What is known of them.
#[derive(Debug, PartialEq, Eq)]
pub enum Known {
    /// Nobody says anything.
    Nothing,
    /// It is only root's to know.
    Private,
    /// The daemon that says so runs.
    Now(Vec<LeftOut>),
    /// It does not run any more.
    Once(Vec<LeftOut>),
    /// The file is not what a daemon of this version writes.
    Garbage(String),
}

impl Known {
    /// What a daemon has said in the file at `path`.
    ///
    /// # Errors
    ///
    /// Those of reading, but for a file that is not there or not for us.
    pub fn read(path: &Path) -> io::Result<Self> {
        loop {
            let mut file = match open(path) {
                Ok(file) => file,
                Err(why) => {
                    return match why.kind() {
                        io::ErrorKind::NotFound => Ok(Self::Nothing),
                        io::ErrorKind::PermissionDenied => Ok(Self::Private),
                        _ if why.raw_os_error() == Some(Errno::ELOOP as i32) => {
                            Ok(Self::Garbage("it is a symbolic link".to_owned()))
                        }
                        _ => Err(why),
                    }
                }
            };
            let inode = file.metadata()?;

            if !inode.is_file() {
                return Ok(Self::Garbage("it is no file".to_owned()));
            }
            let text = content(&mut file)?;
            // Open until the end, so that no other file gets its number.
            let (is_held, _open) = is_held(file)?;
            // It may have been replaced meanwhile, and then its lock says nothing.
            if is_held || is_at(path, &inode) {
                return Ok(Self::told(&text, is_held));
            }
        }
    }

    fn told(text: &[u8], is_held: bool) -> Self {
        match serde_json::from_slice(text) {
            Ok(Content { containers }) if is_held => Self::Now(containers),
            Ok(Content { containers }) => Self::Once(containers),
            Err(why) => Self::Garbage(why.to_string()),
        }
    }
}

/// Opens nothing but what is there, and waits for nobody.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(path)
}

/// As much of it as a reader takes.
fn content(file: &mut File) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();

    file.take(LIMIT).read_to_end(&mut text)?;
    Ok(text)
}

/// Whether what is at `path` is the file of that inode.
fn is_at(path: &Path, inode: &fs::Metadata) -> bool {
    fs::metadata(path).is_ok_and(|now| (now.dev(), now.ino()) == (inode.dev(), inode.ino()))
}

/// Whether somebody has a file locked, and the file.
fn is_held(file: File) -> io::Result<(bool, File)> {
    match Flock::lock(file, FlockArg::LockSharedNonblock) {
        Ok(free) => free
            .unlock()
            .map(|file| (false, file))
            .map_err(|(_, errno)| errno.into()),
        Err((file, Errno::EWOULDBLOCK)) => Ok((true, file)),
        Err((_, errno)) => Err(errno.into()),
    }
}

/// The file that is there and that nobody holds, and what it has.
fn left_behind(path: &Path) -> Option<(Flock<File>, Vec<LeftOut>)> {
    let file = open(path).ok()?;

    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut held = Flock::lock(file, FlockArg::LockExclusiveNonblock).ok()?;
    let text = content(&mut held).ok()?;
    let Content { containers } = serde_json::from_slice(&text).ok()?;
    Some((held, containers))
}

/// The daemon's side of it. The file goes with this.
#[derive(Debug)]
pub struct LeftOutFile {
    path: PathBuf,
    /// What it has now.
    written: Option<(Flock<File>, Vec<LeftOut>)>,
}

impl LeftOutFile {
    /// Writes nothing yet. What another daemon left behind that was killed is taken over until then.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            written: left_behind(path),
        }
    }

    /// Makes the file say that, unless it does. Its directory is made where there is none.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn set(&mut self, containers: Vec<LeftOut>) -> io::Result<()> {
        if matches!(&self.written, Some((_, now)) if *now == containers) && self.is_ours() {
            return Ok(());
        }
        if let Some(dir) = self.path.parent().filter(|dir| !dir.is_dir()) {
            DirBuilder::new().mode(0o700).create(dir)?;
        }
        let next = self.path.with_extension("new");
        // Of a daemon that was killed.
        match fs::remove_file(&next) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
            _ => (),
        }
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&next)?;
        let mut file = Flock::lock(file, FlockArg::LockExclusiveNonblock)
            .map_err(|(_, errno)| io::Error::from(errno))?;
        let content = Content { containers };

        file.write_all(&serde_json::to_vec(&content)?)?;
        fs::rename(&next, &self.path)?;
        self.written = Some((file, content.containers));
        Ok(())
    }

    /// Whether what is there is what was written, and not by another daemon.
    fn is_ours(&self) -> bool {
        let ours = self
            .written
            .as_ref()
            .and_then(|(file, _)| file.metadata().ok());

        ours.is_some_and(|ours| is_at(&self.path, &ours))
    }
}

impl Drop for LeftOutFile {
    fn drop(&mut self) {
        if self.is_ours() {
            // Where it has gone already, all is well; elsewhere its lock goes, which readers see.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests;
