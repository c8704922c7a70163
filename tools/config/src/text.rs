// SPDX-License-Identifier: GPL-2.0

//! Text of others in messages of ours.

use std::fmt;

/// Text in quotes, with what a terminal would obey made visible.
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_debug())
    }
}

/// Text with what a terminal would obey made visible, but for what `is_plain`.
pub fn visible(text: &str, is_plain: impl Fn(char) -> bool) -> String {
    text.chars().fold(String::new(), |mut seen, c| {
        if is_plain(c) {
            seen.push(c);
        } else {
            seen.extend(c.escape_debug());
        }
        seen
    })
}

/// The same of a line, whose tabs stay, as does all that is no control character.
pub(crate) fn visible_line(line: &str) -> String {
    visible(line, |c| !c.is_control() || c == '\t')
}

/// The one of `known` that `word` may have been meant to be, as the end of a message.
pub fn meant<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    known
        .map(|name| (distance(word, name), name))
        .filter(|(distance, name)| *distance <= name.len() / 3)
        .min()
        .map_or_else(String::new, |(_, name)| format!("; is it {name}?"))
}

/// How many letters have to be changed, added or left out (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();

    for (i, left) in a.chars().enumerate() {
        let mut before = i;
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let changed = before + usize::from(left != *right);

            before = row[j + 1];
            row[j + 1] = changed.min(before + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found() {
        let names = || ["destination", "destination_port", "rate"].into_iter();

        assert_eq!(meant("destinations", names()), "; is it destination?");
        assert_eq!(meant("rat", names()), "; is it rate?");
        assert_eq!(meant("colour", names()), "");
    }

    #[test]
    fn terminals_are_not_obeyed() {
        assert_eq!(Quoted("a\u{1b}[2J\n").to_string(), r#""a\u{1b}[2J\n""#);
        assert_eq!(
            visible_line("\ta\u{1b}[2J\r\u{9b}'\u{e4}'"),
            "\ta\\u{1b}[2J\\r\\u{9b}'\u{e4}'"
        );
    }
}
