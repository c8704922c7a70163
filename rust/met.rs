// SPDX-License-Identifier: GPL-2.0

//! How a frame was met, by which it is described again when it has waited.
//!
//! C: `knet_waiting_frame()` in `rust/helpers/helpers.c`.

use core::{
    mem::MaybeUninit,
    slice, //
};

use crate::bindings;

/// Bytes of a VLAN tag in front of the network header (`VLAN_HLEN`).
const VLAN_TAG_LEN: u32 = 4;

/// Room for what C says of a frame.
pub(crate) type View = MaybeUninit<bindings::knet_frame>;

/// How a frame was met, for the time that it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Met(u32);

impl Met {
    const AT_GRO: u32 = 1;
    const V6: u32 = 1 << 1;
    const TAGGED: u32 = 1 << 2;
    /// How many bits the word of one has.
    pub const BITS: u32 = 3;

    /// At GRO or not, IPv6 or IPv4, and behind a VLAN tag or not.
    #[inline]
    pub(crate) fn new(is_at_gro: bool, is_ipv6: bool, is_tagged: bool) -> Self {
        let flag = |is_set: bool, flag: u32| if is_set { flag } else { 0 };

        Self(
            flag(is_at_gro, Self::AT_GRO) | flag(is_ipv6, Self::V6) | flag(is_tagged, Self::TAGGED),
        )
    }

    /// In the lowest [`BITS`](Self::BITS) of a word.
    #[inline]
    pub fn word(self) -> u32 {
        self.0
    }

    /// From the lowest bits of a word.
    #[inline]
    pub fn from_word(word: u32) -> Self {
        Self(word & (Self::AT_GRO | Self::V6 | Self::TAGGED))
    }

    /// Whether the frame was met at GRO, and not at an ingress hook.
    #[inline]
    pub fn is_at_gro(self) -> bool {
        self.0 & Self::AT_GRO != 0
    }

    /// Whether the frame is IPv6 by its ethertype; it is IPv4 otherwise.
    #[inline]
    pub fn is_ipv6(self) -> bool {
        self.0 & Self::V6 != 0
    }

    /// Whether the network header comes first, and not behind a VLAN tag.
    #[inline]
    pub fn is_untagged(self) -> bool {
        self.0 & Self::TAGGED == 0
    }
}

/// What C says of a packet that was `met` like that and has waited.
///
/// # Safety
///
/// The packet is valid and its data begins as in the hook that took it.
#[inline]
pub(crate) unsafe fn view_of(
    skb: *const bindings::sk_buff,
    met: Met,
    view: &mut View,
) -> &mut bindings::knet_frame {
    let offset = if met.is_untagged() { 0 } else { VLAN_TAG_LEN };

    // SAFETY: By the safety requirements of this function. The C side fills the view.
    unsafe {
        bindings::knet_waiting_frame(skb, offset, view.as_mut_ptr());
        view.assume_init_mut()
    }
}

/// What can be read in place of a packet that C has described.
///
/// # Safety
///
/// The packet is not changed as long as what is returned is used.
#[inline]
pub(crate) unsafe fn head_of(view: &bindings::knet_frame) -> &[u8] {
    if view.head.is_null() {
        return &[];
    }
    let len = view.head_len.min(view.len) as usize;

    // SAFETY: The C side found `head_len` bytes at `head`, in the packet's linear part or in its first
    // fragment; both stay while the packet is not changed.
    unsafe { slice::from_raw_parts(view.head, len) }
}
