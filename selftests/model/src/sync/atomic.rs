// SPDX-License-Identifier: GPL-2.0

//! Atomics that loom knows.

use std::{
    ops::Deref,
    sync::OnceLock, //
};

pub use loom::sync::atomic::{
    AtomicPtr,
    Ordering, //
};

/// An atomic that can be made in a constant expression, as core's can and loom's cannot: loom hears of it
/// with the first access, which a model has to see to before there are other threads.
#[derive(Debug, Default)]
pub struct Lazy<V, A> {
    initial: V,
    atomic: OnceLock<A>,
}

/// As core's.
pub type AtomicBool = Lazy<bool, loom::sync::atomic::AtomicBool>;

/// As core's.
pub type AtomicU32 = Lazy<u32, loom::sync::atomic::AtomicU32>;

/// As core's.
pub type AtomicU64 = Lazy<u64, loom::sync::atomic::AtomicU64>;

impl<V, A> Lazy<V, A> {
    /// An atomic with `initial`.
    pub const fn new(initial: V) -> Self {
        Self {
            initial,
            atomic: OnceLock::new(),
        }
    }
}

impl<V: Copy, A: From<V>> Deref for Lazy<V, A> {
    type Target = A;

    fn deref(&self) -> &A {
        self.atomic.get_or_init(|| self.initial.into())
    }
}
