// SPDX-License-Identifier: GPL-2.0

//! A configuration as a TOML file: knobs at the top, and a table for each rule.
//!
//! ```toml
//! mode = "sync"
//! isolate = true
//!
//! [rules.cache]
//! vni = 42
//! protocol = "tcp"
//! destination_port = 11211
//! ```

use std::{
    fmt::{
        self,
        Write as _, //
    },
    ops::Range,
    str::{
        self,
        FromStr, //
    },
};

use toml_edit::{
    Document,
    Item,
    Key,
    Table,
    TableLike,
    Value, //
};

use crate::{
    field::{
        set_named,
        SetError, //
    },
    knob::{
        Kind,
        Knob,
        KNOBS, //
    },
    owner::{
        is_of_daemon,
        NOT_YOURS, //
    },
    rule::{
        check_name,
        Rule, //
    },
    state::{
        new_rule,
        set_fields,
        State, //
    },
    text::{
        visible_line,
        Quoted, //
    },
};

/// Something that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1 on.
    pub line: usize,
    /// The column in characters, from 1 on.
    pub column: usize,
    /// What it is.
    pub what: String,
    /// The line's text.
    pub text: String,
}

/// All that is wrong with a file, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before: String = self.text.chars().take(self.column - 1).collect();
        // Under a tab there is a tab.
        let indent: String = visible_line(&before)
            .chars()
            .map(|c| if c == '\t' { c } else { ' ' })
            .collect();

        writeln!(
            f,
            "{}:{}: {}",
            self.line,
            self.column,
            visible_line(&self.what)
        )?;
        write!(f, "    {}\n    {indent}^", visible_line(&self.text))
    }
}

impl FromStr for State {
    type Err = Problems;

    /// The knobs that a file names, and all its rules.
    fn from_str(text: &str) -> Result<Self, Problems> {
        read(text, |_| false)
    }
}

impl State {
    /// The same of a file of the operator's, which has no rules of a daemon.
    ///
    /// # Errors
    ///
    /// All that is wrong with it.
    pub fn from_file(text: &[u8]) -> Result<Self, Problems> {
        str::from_utf8(text).map_or_else(
            |why| Err(not_utf8(text, why.valid_up_to())),
            |text| read(text, is_of_daemon),
        )
    }
}

/// What a file says, in which there may be no rules of others.
fn read(text: &str, is_of_others: fn(&str) -> bool) -> Result<State, Problems> {
    let mut reader = Reader {
        text,
        is_of_others,
        problems: Vec::new(),
    };
    let state = match Document::parse(text) {
        Ok(document) => reader.state(document.as_table()),
        Err(why) => {
            reader.problem(why.span(), why.message().trim_end().to_owned());
            State::default()
        }
    };

    if reader.problems.is_empty() {
        return Ok(state);
    }
    reader
        .problems
        .sort_by_key(|problem| (problem.line, problem.column));
    Err(Problems(reader.problems))
}

/// What is wrong with a file that is no text from that byte on.
fn not_utf8(file: &[u8], at: usize) -> Problems {
    // Up to there it is the same.
    let text = String::from_utf8_lossy(file);
    let mut reader = Reader {
        text: &text,
        is_of_others: |_| false,
        problems: Vec::new(),
    };

    reader.problem(Some(at..at), "this is not UTF-8".to_owned());
    Problems(reader.problems)
}

struct Reader<'a> {
    text: &'a str,
    is_of_others: fn(&str) -> bool,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn problem(&mut self, span: Option<Range<usize>>, what: String) {
        let start = span.map_or(0, |span| span.start.min(self.text.len()));
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        let line = self.text[line_start..].lines().next().unwrap_or_default();

        self.problems.push(Problem {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            what,
            text: line.to_owned(),
        });
    }

    fn state(&mut self, table: &Table) -> State {
        let mut state = State::default();

        for (name, item) in table.iter() {
            let key = table.key(name);

            if name == "rules" {
                self.rules(key, item, &mut state);
                continue;
            }
            match Knob::find(name) {
                Ok(knob) => {
                    if let Some(value) = self.knob(knob, item) {
                        state.knobs.insert(knob.name, value);
                    }
                }
                Err(why) => self.problem(key.and_then(Key::span), why.to_string()),
            }
        }
        state
    }

    fn knob(&mut self, knob: &Knob, item: &Item) -> Option<String> {
        let text = text_of(item);
        let checked = text.as_deref().map(|text| knob.check(text));

        match checked {
            Some(Ok(value)) => Some(value),
            _ => {
                self.problem(
                    item.span(),
                    format!("{}: expected {}", knob.name, knob.kind),
                );
                None
            }
        }
    }

    fn rules(&mut self, key: Option<&Key>, item: &Item, state: &mut State) {
        let Some(rules) = item.as_table_like() else {
            self.problem(
                key.and_then(Key::span),
                "expected a table for each rule, such as [rules.cache]".to_owned(),
            );
            return;
        };

        for (name, item) in rules.iter() {
            let span = rules.key(name).and_then(Key::span);

            if let Err(why) = check_name(name.as_bytes()) {
                self.problem(span, format!("rule {}: {why}", Quoted(name)));
                continue;
            }
            if (self.is_of_others)(name) {
                self.problem(span, format!("rule {name}: {NOT_YOURS}"));
                continue;
            }
            let Some(fields) = item.as_table_like() else {
                self.problem(
                    item.span(),
                    format!("rule {name}: expected a table of its fields"),
                );
                continue;
            };
            if let Some(rule) = self.rule(name, span, fields) {
                state.rules.insert(name.to_owned(), rule);
            }
        }
    }

    fn rule(
        &mut self,
        name: &str,
        span: Option<Range<usize>>,
        fields: &dyn TableLike,
    ) -> Option<Rule> {
        let before = self.problems.len();
        let mut rule = Rule {
            enabled: true,
            ..new_rule()
        };

        for (field, item) in fields.iter() {
            let span = fields.key(field).and_then(Key::span);

            // What no field takes stands for other types than these.
            let text = text_of(item).unwrap_or_default();

            if let Err(why) = set_named(&mut rule, field, &text) {
                let span = match why {
                    SetError::NoField(_) => span,
                    _ => item.span().or(span),
                };

                self.problem(span, format!("rule {name}, {why}"));
            }
        }
        // What is wrong with a field is told; what that makes of the whole does not matter.
        if self.problems.len() == before && rule.enabled {
            if let Err(why) = rule.flows.validate() {
                self.problem(span, format!("rule {name}: {why}"));
            }
        }
        (self.problems.len() == before).then_some(rule)
    }
}

/// A value as it would be written to a file.
fn text_of(item: &Item) -> Option<String> {
    match item.as_value()? {
        Value::String(text) => Some(text.value().clone()),
        Value::Integer(number) => Some(number.value().to_string()),
        Value::Boolean(on) => Some(on.value().to_string()),
        Value::Array(words) => {
            let words: Option<Vec<&str>> = words.iter().map(Value::as_str).collect();

            words.map(|words| words.join(" "))
        }
        _ => None,
    }
}

impl State {
    /// A file that says so.
    pub fn to_file(&self) -> String {
        let mut file = String::new();

        for knob in &KNOBS {
            if let Some(value) = self.knobs.get(knob.name) {
                let value = match (&knob.kind, value.as_str()) {
                    // None of those that were chosen is there.
                    (Kind::Devices, "") => continue,
                    (Kind::Switch, "0") => "false".to_owned(),
                    (Kind::Switch, _) => "true".to_owned(),
                    (_, value) => written(value),
                };

                writeln!(file, "{} = {value}", knob.name).ok();
            }
        }
        for (name, rule) in &self.rules {
            writeln!(file, "\n[rules.{}]", Key::new(name).display_repr()).ok();
            for (field, text) in set_fields(rule) {
                writeln!(file, "{} = {}", field.name(), written(&text)).ok();
            }
            if !rule.enabled {
                writeln!(file, "enabled = false").ok();
            }
        }
        file
    }
}

/// A value: as a number where that is the same again.
fn written(text: &str) -> String {
    match text.parse::<u32>() {
        Ok(number) if number.to_string() == text => text.to_owned(),
        _ => Value::from(text).to_string(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
