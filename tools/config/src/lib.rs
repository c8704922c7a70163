// SPDX-License-Identifier: GPL-2.0

//! The configuration of the kernel module prism: what it is now, what a file says it should be, and how
//! to get from one to the other.
//!
//! Values are checked by the code that the module itself checks them with. What is there is read from
//! the module's files, which `Documentation/ABI/testing` describes.

#[path = "../../../prism/classify/mod.rs"]
pub mod classify;
mod counter;
#[cfg(any(test, feature = "fake"))]
pub mod fake;
mod field;
mod file;
mod knob;
mod left_out;
mod lock;
mod module;
mod owner;
mod plan;
mod state;
mod text;

pub use self::{
    classify::rule::{
        self,
        Field, //
    },
    counter::{
        Counter,
        Group,
        COUNTERS, //
    },
    field::{
        set_named,
        SetError, //
    },
    file::{
        Problem,
        Problems, //
    },
    knob::{
        Expected,
        Kind,
        Knob,
        NoKnob,
        KNOBS, //
    },
    left_out::{
        Known,
        LeftOut,
        LeftOutFile,
        LEFT_OUT, //
    },
    lock::Lock,
    module::{
        Counts,
        Error,
        Module, //
    },
    owner::{
        is_of_daemon,
        DOCKER_PREFIX,
        NOT_YOURS, //
    },
    plan::{
        Change,
        Failure,
        Plan,
        Target, //
    },
    state::{
        new_rule,
        set_fields,
        Named,
        State, //
    },
    text::{
        meant,
        visible,
        Quoted, //
    },
};
