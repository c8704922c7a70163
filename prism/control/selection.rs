// SPDX-License-Identifier: GPL-2.0

//! The text of the file `devices`.

use kernel::{
    prelude::*,
    str::CString, //
};

use crate::devices::Selection;

use super::Field;

/// The word that stands for the default.
pub(super) const AUTO: &str = "auto";

/// Reads a selection of devices: `auto`, with or without what follows it when the file is read, or
/// names with spaces or commas between them.
///
/// # Errors
///
/// - `EINVAL` for no name at all.
/// - `ENODEV` for a name that no device has.
/// - `ENOMEM`.
pub(super) fn parse(field: &Field<'_>, value: &[u8]) -> Result<Selection> {
    let text = field.text(value)?.trim_matches([' ', '\n']);
    let mut names = text
        .split([' ', ','])
        .filter(|name| !name.is_empty())
        .peekable();

    match names.peek() {
        None => Err(field.refuse(value, "expected auto or names of devices", EINVAL)),
        Some(&AUTO) => Ok(Selection::Auto),
        Some(_) => names
            .try_fold(KVec::new(), |mut list, name| {
                list.push(device(field, name)?, GFP_KERNEL)?;
                Ok(list)
            })
            .map(Selection::Named),
    }
}

/// The name of a device that there is.
fn device(field: &Field<'_>, name: &str) -> Result<CString> {
    let known = match CString::try_from_fmt(fmt!("{name}")) {
        Ok(name) => Some(name),
        Err(ENOMEM) => return Err(ENOMEM),
        // With a zero byte in it.
        Err(_) => None,
    };

    known
        .filter(|name| knet::netdev::exists(name))
        .ok_or_else(|| field.refuse(name.as_bytes(), "no such device", ENODEV))
}
