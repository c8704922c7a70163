// SPDX-License-Identifier: GPL-2.0

//! Knobs: `mode`, `isolate`, `get` and `set`.

use std::{
    collections::BTreeMap,
    io, //
};

use prism_config::{
    Error as ModuleError,
    Knob,
    Module,
    KNOBS, //
};

use super::{
    change,
    pair, //
};
use crate::{
    error::Error,
    output::{
        visible,
        Output,
        Table, //
    }, //
};

/// One knob: its value, or a new one.
pub(super) fn show_or_set(
    out: &mut Output,
    name: &str,
    value: Option<String>,
) -> Result<(), Error> {
    let knob = find(name)?;

    match value {
        Some(value) => turn(out, &[(knob, value.as_str())]),
        None => {
            let value = Module::open()?.value(knob.name)?;
            let values = BTreeMap::from([(knob.name, &value)]);

            out.print(&values, |out| writeln!(out, "{}", visible(&value)))?;
            Ok(())
        }
    }
}

/// Some knobs, or all.
pub(super) fn get(out: &mut Output, names: &[String]) -> Result<(), Error> {
    let module = Module::open()?;
    let knobs: Vec<&Knob> = match names {
        [] => KNOBS.iter().collect(),
        names => names
            .iter()
            .map(|name| find(name))
            .collect::<Result<_, _>>()?,
    };
    let mut values = BTreeMap::new();
    let mut table = Table::new(&["KNOB", "VALUE", "DEFAULT", "TAKES", "WHAT"]);

    for knob in knobs {
        let value = match module.value(knob.name) {
            // Who asks for all gets what there is to be had.
            Err(ModuleError::Denied(_)) if names.is_empty() => None,
            // An older module does not have all.
            Err(ModuleError::Read { source, .. })
                if names.is_empty() && source.kind() == io::ErrorKind::NotFound =>
            {
                continue;
            }
            value => Some(value?),
        };

        table.line(vec![
            knob.name.to_owned(),
            value
                .as_deref()
                .map_or_else(|| "only root may know".to_owned(), visible),
            knob.default.to_owned(),
            knob.kind.to_string(),
            knob.what.to_owned(),
        ]);
        values.insert(knob.name, value);
    }
    out.print(&values, |out| table.print(out))?;
    Ok(())
}

/// Several at once.
pub(super) fn set(out: &mut Output, values: &[String]) -> Result<(), Error> {
    let values = values.iter().map(|text| {
        let (name, value) = pair(text)?;

        Ok((find(name)?, value))
    });

    turn(out, &values.collect::<Result<Vec<_>, Error>>()?)
}

fn turn(out: &mut Output, values: &[(&Knob, &str)]) -> Result<(), Error> {
    let checked = values.iter().map(|(knob, text)| {
        let refused =
            |why| Error::Value(format!("{}=\"{}\": {why}", knob.name, text.escape_debug()));

        Ok((knob.name, knob.check(text).map_err(refused)?))
    });
    let checked: Vec<_> = checked.collect::<Result<_, Error>>()?;

    change(out, |state| {
        state.knobs.extend(checked);
        Ok(())
    })
}

fn find(name: &str) -> Result<&'static Knob, Error> {
    Knob::find(name).map_err(|why| Error::Value(why.to_string()))
}
