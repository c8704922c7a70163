// SPDX-License-Identifier: GPL-2.0

//! The receive path of a CPU, which is a thread of the model.

use std::marker::PhantomData;

/// That this is the receive path of a CPU.
#[derive(Clone, Copy)]
pub struct RxContext<'a>(usize, PhantomData<&'a ()>);

impl RxContext<'_> {
    /// That of the CPU with that number.
    pub fn of(cpu: usize) -> Self {
        Self(cpu, PhantomData)
    }

    /// The CPU's number.
    pub fn cpu(&self) -> usize {
        self.0
    }
}
