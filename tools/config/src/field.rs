// SPDX-License-Identifier: GPL-2.0

//! The fields of a rule, as users name them.

use crate::{
    rule::{
        parse_bool,
        Error,
        Field,
        Rule, //
    },
    text::{
        meant,
        Quoted, //
    },
};

/// Why a field, named by a user, is not set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// There is no such field.
    #[error("no field is called {0}")]
    NoField(String),
    /// `enabled` is something else.
    #[error("enabled: expected true or false")]
    Enabled,
    /// The field does not take that.
    #[error("{}: {why}", .field.name())]
    Value {
        /// The field.
        field: Field,
        /// What the module would log.
        why: Error,
    },
}

/// Sets a field of `rule`, or `enabled`, by its name.
///
/// # Errors
///
/// The rule is then as before.
pub fn set_named(rule: &mut Rule, name: &str, text: &str) -> Result<(), SetError> {
    if name == "enabled" {
        rule.enabled = parse_bool(text).map_err(|_| SetError::Enabled)?;
        return Ok(());
    }
    let Some(field) = Field::ALL.into_iter().find(|field| field.name() == name) else {
        let known = Field::ALL
            .iter()
            .map(|field| field.name())
            .chain(["enabled"]);

        return Err(SetError::NoField(format!(
            "{}{}",
            Quoted(name),
            meant(name, known)
        )));
    };

    field
        .set(rule, text)
        .map_err(|why| SetError::Value { field, why })
}
