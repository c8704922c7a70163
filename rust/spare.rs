// SPDX-License-Identifier: GPL-2.0

//! A packet's clone for a moment, for which no memory has to be found then.
//!
//! C: `skb_morph()` in `net/core/skbuff.c`.

use core::ptr::NonNull;

use kernel::prelude::*;

use crate::{
    bindings,
    context::RxContext,
    local::Local,
    skb::Skb, //
};

/// For each CPU, what becomes the clone of a packet there.
pub struct Spares(Local<Spare>);

/// # Invariants
///
/// Both are valid, and nobody else uses them. `clone` shares the data of `idle` but while it is a
/// packet's clone.
struct Spare {
    clone: NonNull<bindings::sk_buff>,
    idle: NonNull<bindings::sk_buff>,
}

// SAFETY: A packet may be used by any thread that owns it.
unsafe impl Send for Spare {}

impl Spare {
    /// Context: process; may sleep.
    fn new() -> Result<Self> {
        // SAFETY: Process context.
        let clone = NonNull::new(unsafe { bindings::knet_skb_new() }).ok_or(ENOMEM)?;
        // SAFETY: As above.
        let Some(idle) = NonNull::new(unsafe { bindings::knet_skb_new() }) else {
            // SAFETY: Made above, and used by nobody else.
            unsafe { bindings::consume_skb(clone.as_ptr()) };
            return Err(ENOMEM);
        };

        // INVARIANT: Both were made above. Neither is a packet.
        Ok(Self { clone, idle })
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        // SAFETY: By the type invariants.
        unsafe {
            bindings::consume_skb(self.clone.as_ptr());
            bindings::consume_skb(self.idle.as_ptr());
        }
    }
}

impl Spares {
    /// One for each CPU.
    ///
    /// Context: process; may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new() -> Result<Self> {
        Ok(Self(Local::new(Spare::new)?))
    }

    /// Calls `f`, which may give the packet away, while that has a clone. What `f` calls must not call
    /// this: there is no second one.
    #[inline]
    pub(crate) fn while_cloned<R>(
        &self,
        cx: &RxContext<'_>,
        skb: &Skb<'_>,
        f: impl FnOnce() -> R,
    ) -> R {
        self.0.with_option(cx, |spare| {
            let Some(spare) = spare else {
                return f();
            };
            // SAFETY: By the type invariants, and those of `Skb`.
            unsafe { bindings::skb_morph(spare.clone.as_ptr(), skb.as_ptr()) };
            let result = f();

            // SAFETY: By the type invariants.
            unsafe { bindings::skb_morph(spare.clone.as_ptr(), spare.idle.as_ptr()) };
            result
        })
    }
}
