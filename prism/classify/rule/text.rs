// SPDX-License-Identifier: GPL-2.0

//! What the text forms of all fields have in common.

use super::Error;

/// `text` without one trailing newline and without the spaces around it.
pub(crate) fn trim(text: &str) -> &str {
    text.strip_suffix('\n').unwrap_or(text).trim_matches(' ')
}

/// A decimal number: digits only, no leading zero. `None` for anything else, and past `u64`.
pub(crate) fn number(text: &str) -> Option<u64> {
    let is_canonical = text == "0" || !text.starts_with('0');

    if is_canonical && text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

/// Parses an `enabled` file: 1, y, yes, t, true, on, or 0, n, no, f, false, off, in either case.
///
/// # Errors
///
/// [`Error::Expected`].
pub fn parse_bool(text: &str) -> Result<bool, Error> {
    let text = trim(text);
    let is_one_of = |words: [&str; 6]| words.iter().any(|word| word.eq_ignore_ascii_case(text));

    if is_one_of(["1", "y", "yes", "t", "true", "on"]) {
        Ok(true)
    } else if is_one_of(["0", "n", "no", "f", "false", "off"]) {
        Ok(false)
    } else {
        Err(Error::Expected("0 or 1"))
    }
}
