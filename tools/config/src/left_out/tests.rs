// SPDX-License-Identifier: GPL-2.0

use std::os::unix::fs::{
    symlink,
    PermissionsExt, //
};

use super::*;

fn container(name: &str) -> LeftOut {
    LeftOut {
        id: "000000000001".to_owned(),
        name: name.to_owned(),
        network: "back".to_owned(),
        reason: "encrypted".to_owned(),
        text: "the network is encrypted".to_owned(),
    }
}

/// A place for the file, in a directory that is not there yet.
fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("prismd/left-out.json");

    (dir, path)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn what_is_written_is_read() {
    let (_dir, path) = place();
    let mut file = LeftOutFile::new(&path);

    assert_eq!(Known::read(&path).unwrap(), Known::Nothing);
    file.set(vec![container("db")]).unwrap();
    assert_eq!(
        Known::read(&path).unwrap(),
        Known::Now(vec![container("db")])
    );
    file.set(Vec::new()).unwrap();
    assert_eq!(Known::read(&path).unwrap(), Known::Now(Vec::new()));
}

#[test]
fn that_of_another_daemon_stays() {
    let (_dir, path) = place();
    let mut first = LeftOutFile::new(&path);
    let mut second = LeftOutFile::new(&path);

    first.set(vec![container("db")]).unwrap();
    second.set(Vec::new()).unwrap();
    // Whoever says something has it there, be it the same as before.
    first.set(vec![container("db")]).unwrap();
    drop(second);
    assert_eq!(
        Known::read(&path).unwrap(),
        Known::Now(vec![container("db")])
    );
    drop(first);
    assert_eq!(Known::read(&path).unwrap(), Known::Nothing);
}

#[test]
fn it_is_the_owners_alone() {
    let (_dir, path) = place();
    let mut file = LeftOutFile::new(&path);

    file.set(Vec::new()).unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
}

#[test]
fn it_is_replaced_and_nothing_stays_beside_it() {
    let (_dir, path) = place();
    let inode = || fs::metadata(&path).unwrap().ino();
    let mut file = LeftOutFile::new(&path);

    file.set(Vec::new()).unwrap();
    let before = inode();
    file.set(Vec::new()).unwrap();
    assert_eq!(inode(), before);
    file.set(vec![container("db")]).unwrap();
    assert_ne!(inode(), before);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn it_goes_with_the_daemon() {
    let (_dir, path) = place();
    let mut file = LeftOutFile::new(&path);

    file.set(vec![container("db")]).unwrap();
    drop(file);
    assert_eq!(Known::read(&path).unwrap(), Known::Nothing);
    // One that has nothing to do with it removes nothing.
    fs::write(&path, "something else").unwrap();
    drop(LeftOutFile::new(&path));
    assert!(path.exists());
}

#[test]
fn what_a_killed_daemon_left_is_known_as_that() {
    let (_dir, path) = place();
    let mut file = LeftOutFile::new(&path);

    file.set(vec![container("db")]).unwrap();
    let text = fs::read(&path).unwrap();
    drop(file);
    fs::write(&path, text).unwrap();
    fs::write(path.with_extension("new"), "{\"contai").unwrap();
    assert_eq!(
        Known::read(&path).unwrap(),
        Known::Once(vec![container("db")])
    );
    // The next daemon takes over, be it that it does not know yet what it is to say.
    let mut file = LeftOutFile::new(&path);
    assert_eq!(
        Known::read(&path).unwrap(),
        Known::Now(vec![container("db")])
    );
    assert!(LeftOutFile::new(&path).written.is_none());
    file.set(vec![container("web")]).unwrap();
    assert_eq!(
        Known::read(&path).unwrap(),
        Known::Now(vec![container("web")])
    );
}

#[test]
fn garbage_is_no_failure() {
    let (dir, path) = place();

    fs::create_dir(path.parent().unwrap()).unwrap();
    for text in [
        &b""[..],
        b"{",
        b"[]",
        b"{\"containers\": 3}",
        b"\xff\xfe",
        b"{\"containers\":[{\"id\":\"1\"}]}",
    ] {
        fs::write(&path, text).unwrap();
        assert!(
            matches!(Known::read(&path).unwrap(), Known::Garbage(_)),
            "{text:?}"
        );
    }
    // What a later version adds is not looked at.
    fs::write(&path, "{\"containers\":[],\"more\":1}").unwrap();
    assert_eq!(Known::read(&path).unwrap(), Known::Once(Vec::new()));

    fs::remove_file(&path).unwrap();
    fs::write(dir.path().join("other"), "{\"containers\":[]}").unwrap();
    symlink(dir.path().join("other"), &path).unwrap();
    assert!(matches!(Known::read(&path).unwrap(), Known::Garbage(_)));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(Known::read(&path).unwrap(), Known::Garbage(_)));
}

#[test]
fn a_reader_meets_whole_files_of_a_daemon_that_runs() {
    let (_dir, path) = place();
    let mut file = LeftOutFile::new(&path);

    file.set(vec![container("0")]).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(move || {
            for number in 1..500 {
                file.set(vec![container(&number.to_string()); number % 9])
                    .unwrap();
            }
            file
        });
        while !writer.is_finished() {
            let known = Known::read(&path).unwrap();

            assert!(matches!(known, Known::Now(_)), "{known:?}");
        }
        drop(writer.join());
    });
}
