// SPDX-License-Identifier: GPL-2.0

//! An instance of the kernel's tracing for ourselves alone.

use std::{
    fs::{
        self,
        File, //
    },
    io,
    os::unix::fs::OpenOptionsExt,
    path::{
        Path,
        PathBuf, //
    },
};

use crate::error::Error;

const TRACEFS: &str = "/sys/kernel/tracing";

/// The beginning of the names of instances, before the number of a process.
const PREFIX: &str = "prismctl-";

/// An instance in which the module's events are recorded. Dropping it removes it.
pub(super) struct Instance {
    dir: PathBuf,
    /// Open as long as there are events to read; `None` in `drop`, as an instance that is read stays.
    pipe: Option<File>,
}

impl Instance {
    /// Records events that `filter` lets through.
    pub(super) fn new(filter: Option<&str>) -> Result<Self, Error> {
        Self::at(Path::new(TRACEFS), filter)
    }

    fn at(tracefs: &Path, filter: Option<&str>) -> Result<Self, Error> {
        let instances = tracefs.join("instances");
        let failed = |path: &Path, why: io::Error| Error::Io {
            path: path.to_owned(),
            why,
        };

        match fs::metadata(&instances) {
            Ok(_) => (),
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Err(Error::NoTracefs),
            Err(why) if why.kind() == io::ErrorKind::PermissionDenied => {
                return Err(prism_config::Error::Denied(tracefs.to_owned()).into());
            }
            Err(why) => return Err(failed(&instances, why)),
        }
        remove_stale(&instances);
        let dir = instances.join(format!("{PREFIX}{}", std::process::id()));
        fs::create_dir(&dir).map_err(|why| match why.kind() {
            io::ErrorKind::PermissionDenied => {
                prism_config::Error::Denied(tracefs.to_owned()).into()
            }
            _ => failed(&dir, why),
        })?;
        let mut instance = Self { dir, pipe: None };
        let events = instance.dir.join("events/prism");

        if !events.exists() {
            return Err(Error::NoTracepoints);
        }
        let write =
            |path: &Path, text: &str| fs::write(path, text).map_err(|why| failed(path, why));
        write(&instance.dir.join("trace_clock"), "mono")?;
        if let Some(filter) = filter {
            write(&events.join("filter"), filter)?;
        }
        let pipe = instance.dir.join("trace_pipe");
        let open = File::options()
            .read(true)
            .custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits())
            .open(&pipe);
        instance.pipe = Some(open.map_err(|why| failed(&pipe, why))?);
        write(&events.join("enable"), "1")?;
        Ok(instance)
    }

    /// Where events are read, as lines.
    pub(super) fn pipe(&self) -> Option<&File> {
        self.pipe.as_ref()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.pipe = None;
        remove(&self.dir);
    }
}

/// Removes an instance, as far as it is there.
fn remove(dir: &Path) {
    fs::write(dir.join("events/enable"), "0").ok();
    fs::remove_dir(dir).ok();
}

/// Removes what processes left behind that were killed.
fn remove_stale(instances: &Path) {
    for entry in fs::read_dir(instances).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX));

        if let Some(pid) = owner.filter(|pid| pid.bytes().all(|byte| byte.is_ascii_digit())) {
            if !Path::new("/proc").join(pid).exists() {
                remove(&entry.path());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_tracefs_it_is_said_how_to_have_it() {
        let dir = tempfile::tempdir().unwrap();
        let why = Instance::at(dir.path(), None).err().unwrap().to_string();

        assert!(
            why.ends_with("mount -t tracefs none /sys/kernel/tracing"),
            "{why}"
        );
    }

    #[test]
    fn without_the_module_nothing_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let instances = dir.path().join("instances");
        // No process has this number.
        fs::create_dir_all(instances.join("prismctl-4194305")).unwrap();
        fs::create_dir_all(instances.join("prismctl-other")).unwrap();

        let why = Instance::at(dir.path(), None).err().unwrap();
        assert!(matches!(why, Error::NoTracepoints));
        let left: Vec<_> = fs::read_dir(&instances).unwrap().flatten().collect();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].file_name(), "prismctl-other");
    }
}
