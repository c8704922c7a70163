// SPDX-License-Identifier: GPL-2.0

//! Text files of a kernel object: what sysfs and configfs have in common.
//!
//! Not supported: binary files, files that come and go while the object exists.

use core::{
    fmt,
    slice, //
};

use kernel::{
    ffi::{
        c_char,
        CStr, //
    },
    prelude::*, //
};

/// The most that a file shows, in bytes: what both file systems have room for.
pub const SHOW_MAX: usize = 4095;

/// The most that both file systems hand over from one write, in bytes. A text that is as long may
/// have been cut.
pub const STORE_MAX: usize = 4095;

/// An object with text files.
///
/// Context of the callbacks: process; may sleep. Several may run at once.
pub trait Files: Send + Sync + 'static {
    /// Tells the files apart.
    type File: Copy + Send + Sync + 'static;

    /// All files, in the order in which they are made.
    const FILES: &'static [Self::File];

    /// The name of `file`.
    fn name(file: Self::File) -> &'static CStr;

    /// Whether root may write `file`.
    fn is_writable(file: Self::File) -> bool;

    /// Whether root alone may read `file`. Otherwise everyone may, also in a container.
    fn is_private(file: Self::File) -> bool;

    /// The permissions of `file`.
    fn mode(file: Self::File) -> u16 {
        match (Self::is_writable(file), Self::is_private(file)) {
            (true, true) => 0o600,
            (true, false) => 0o644,
            (false, true) => 0o400,
            (false, false) => 0o444,
        }
    }

    /// Writes what reading `file` gives.
    ///
    /// # Errors
    ///
    /// The reader's, too.
    fn show(&self, file: Self::File, page: &mut Page<'_>) -> Result;

    /// Takes what was written to `file`.
    ///
    /// # Errors
    ///
    /// The writer's, too.
    fn store(&self, file: Self::File, text: &[u8]) -> Result;
}

/// Where a file's text goes.
///
/// # Invariants
///
/// `len` is at most the length of `buffer`.
pub struct Page<'a> {
    buffer: &'a mut [u8],
    len: usize,
}

impl fmt::Write for Page<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len.checked_add(text.len()).ok_or(fmt::Error)?;
        let room = self.buffer.get_mut(self.len..end).ok_or(fmt::Error)?;

        room.copy_from_slice(text.as_bytes());
        // INVARIANT: The buffer has bytes up to `end`.
        self.len = end;
        Ok(())
    }
}

/// Shows `file` of `object` in the manner of a C callback: returns a length or a negative errno.
///
/// # Safety
///
/// `page` is valid for writes of [`SHOW_MAX`] bytes, and nothing else refers to them.
pub(crate) unsafe fn show<T: Files>(object: &T, file: T::File, page: *mut c_char) -> isize {
    // SAFETY: By the safety requirements of this function; both file systems zero the page.
    let buffer = unsafe { slice::from_raw_parts_mut(page, SHOW_MAX) };
    let mut page = Page { buffer, len: 0 };

    match object.show(file, &mut page) {
        Ok(()) => page.len as isize,
        Err(error) => error.to_errno() as isize,
    }
}

/// Stores to `file` of `object` in the manner of a C callback: returns `len` or a negative errno.
///
/// # Safety
///
/// `text` is valid for reads of `len` bytes, which do not change meanwhile.
pub(crate) unsafe fn store<T: Files>(
    object: &T,
    file: T::File,
    text: *const c_char,
    len: usize,
) -> isize {
    // SAFETY: By the safety requirements of this function.
    let text = unsafe { slice::from_raw_parts(text, len) };

    match object.store(file, text) {
        Ok(()) => len as isize,
        Err(error) => error.to_errno() as isize,
    }
}
