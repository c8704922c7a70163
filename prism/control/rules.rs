// SPDX-License-Identifier: GPL-2.0

//! Rules: directories in `/sys/kernel/config/prism/rules`.

use core::{
    fmt::Write,
    sync::atomic::{
        AtomicU32,
        Ordering, //
    },
};

use kernel::{
    new_mutex,
    prelude::*,
    str::CString,
    sync::{
        Arc,
        Mutex, //
    },
};

use knet::{
    configfs::Items,
    errno,
    files::{
        Files,
        Page, //
    },
};

use crate::{
    classify::rule::{
        self,
        check_name,
        parse_bool,
        Class,
        Rule, //
    },
    ruleset::RuleState,
    switch::Switch, //
};

use super::{
    log,
    Escaped,
    Field, //
};

/// Makes the directories.
pub(super) struct Directories {
    switch: Arc<Switch>,
    max: u32,
    /// How many there are.
    count: Arc<Count>,
}

impl Directories {
    /// Directories of which there may be `max` at a time, for rules that `switch` enables.
    pub(super) fn new(switch: Arc<Switch>, max: u32) -> Result<Self> {
        Ok(Self {
            switch,
            max,
            count: Arc::new(Count(AtomicU32::new(0)), GFP_KERNEL)?,
        })
    }

    /// Checks the name of a new directory.
    fn check(&self, name: &CStr) -> Result {
        check_name(name.to_bytes()).map_err(|why| {
            log(format_args!("rule '{}': {why}", Escaped(name.to_bytes())));
            match why {
                rule::Error::NameLength => errno::name_too_long(),
                _ => EINVAL,
            }
        })
    }
}

impl Items for Directories {
    type Item = Directory;

    fn make(&self, name: &CStr) -> Result<impl PinInit<Directory, Error>> {
        self.check(name)?;
        let place = Place::take(&self.count, self.max).ok_or_else(|| {
            let name = Escaped(name.to_bytes());
            log(format_args!(
                "rule {name}: there are {} rules, as many as the parameter max_rules allows",
                self.max
            ));
            ENOSPC
        })?;

        let name = CString::try_from(name)?;
        let state = RuleState::new(&name)?;
        let switch = self.switch.clone();
        Ok(try_pin_init!(Directory {
            name,
            switch,
            state,
            rule <- new_mutex!(Rule {
                class: Class::High,
                ..Rule::default()
            }),
            _place: place,
        }))
    }

    fn removed(&self, directory: &Directory) {
        let mut rule = directory.rule.lock();

        if rule.enabled {
            rule.enabled = false;
            self.switch.disable(&directory.state);
        }
    }
}

/// How many directories there are.
struct Count(AtomicU32);

/// A directory's place among those there may be.
struct Place(Arc<Count>);

impl Place {
    /// One more place, unless `max` are taken.
    fn take(count: &Arc<Count>, max: u32) -> Option<Self> {
        let one_more = |taken| if taken < max { Some(taken + 1) } else { None };

        count
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .ok()
            .map(|_| Self(count.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0 .0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The directory of a rule.
#[pin_data]
pub(super) struct Directory {
    name: CString,
    switch: Arc<Switch>,
    state: Arc<RuleState>,
    /// Held while the rule is enabled or disabled, so that two writers get one after the other.
    #[pin]
    rule: Mutex<Rule>,
    _place: Place,
}

/// A file of a rule.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum File {
    Of(rule::Field),
    Enabled,
    Packets,
    Bytes,
    Dropped,
}

impl Files for Directory {
    type File = File;

    const FILES: &'static [File] = &[
        File::Of(rule::Field::Vni),
        File::Of(rule::Field::Protocol),
        File::Of(rule::Field::Source),
        File::Of(rule::Field::Destination),
        File::Of(rule::Field::SourcePort),
        File::Of(rule::Field::DestinationPort),
        File::Of(rule::Field::Dscp),
        File::Of(rule::Field::Class),
        File::Of(rule::Field::Rate),
        File::Of(rule::Field::Gro),
        File::Enabled,
        File::Packets,
        File::Bytes,
        File::Dropped,
    ];

    fn name(file: File) -> &'static CStr {
        match file {
            File::Of(field) => field.file(),
            File::Enabled => c"enabled",
            File::Packets => c"packets",
            File::Bytes => c"bytes",
            File::Dropped => c"dropped",
        }
    }

    fn is_writable(file: File) -> bool {
        !matches!(file, File::Packets | File::Bytes | File::Dropped)
    }

    fn is_private(_: File) -> bool {
        // They say who talks to whom, and how much.
        true
    }

    fn show(&self, file: File, page: &mut Page<'_>) -> Result {
        let rule = *self.rule.lock();

        match file {
            File::Of(field) => writeln!(page, "{}", field.of(&rule)),
            File::Enabled => writeln!(page, "{}", u8::from(rule.enabled)),
            File::Packets => writeln!(page, "{}", self.state.packets()),
            File::Bytes => writeln!(page, "{}", self.state.bytes()),
            File::Dropped => writeln!(page, "{}", self.state.dropped()),
        }?;
        Ok(())
    }

    fn store(&self, file: File, value: &[u8]) -> Result {
        let input = Input::new(self.field(file), value)?;
        let mut rule = self.rule.lock();

        match file {
            File::Enabled => self.switch(&mut rule, &input),
            // What is in force must be what the files show, hence a change as a whole.
            File::Of(_) if rule.enabled => {
                Err(input.refuse("the rule is enabled and must be disabled first", EBUSY))
            }
            File::Of(field) => field
                .set(&mut rule, input.text)
                .map_err(|why| input.refuse(why, EINVAL)),
            File::Packets | File::Bytes | File::Dropped => Err(EACCES),
        }
    }
}

impl Directory {
    fn field(&self, file: File) -> Field<'_> {
        Field {
            rule: Some(&self.name),
            file: Self::name(file),
        }
    }

    /// Enables or disables the rule.
    fn switch(&self, rule: &mut Rule, input: &Input<'_>) -> Result {
        let enabled = parse_bool(input.text).map_err(|why| input.refuse(why, EINVAL))?;
        if enabled == rule.enabled {
            return Ok(());
        }

        if enabled {
            rule.flows
                .validate()
                .map_err(|why| input.refuse(why, EINVAL))?;
            self.switch
                .enable(&self.name, rule, &self.state)
                .map_err(|why| input.refuse(&why, why.errno()))?;
        } else {
            self.switch.disable(&self.state);
        }
        rule.enabled = enabled;
        Ok(())
    }
}

/// What is written to a file.
struct Input<'a> {
    field: Field<'a>,
    text: &'a str,
}

impl<'a> Input<'a> {
    fn new(field: Field<'a>, value: &'a [u8]) -> Result<Self> {
        let text = field.text(value)?;

        Ok(Self { field, text })
    }

    fn refuse(&self, why: impl core::fmt::Display, errno: Error) -> Error {
        self.field.refuse(self.text.as_bytes(), why, errno)
    }
}
