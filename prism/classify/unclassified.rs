// SPDX-License-Identifier: GPL-2.0

//! The reasons for which a packet is left to the kernel unclassified.

use core::fmt;

/// Why [`parse`](super::parse) gave a packet no [`Flow`](super::Flow).
///
/// Each reason has a dense [`index`](Self::index), so that an array of [`COUNT`](Self::COUNT)
/// counters holds them all, and a [name](Self::as_str) that is fit for a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Unclassified {
    /// The packet, or the part of it that can be read, ends within a header.
    Truncated,
    /// A length field contradicts another one or the packet's true length.
    BadLength,
    /// Neither IPv4 nor IPv6, by the inner EtherType or by the version field.
    NotIp,
    /// A fragment: more to come, an offset, the reserved flag, or the IPv6 Fragment header.
    Fragment,
    /// IPv4 options.
    Options,
    /// An IPv6 extension header other than Fragment.
    Extension,
    /// A source or destination port of zero.
    ZeroPort,
    /// VXLAN with another flag than I, without I, or with a reserved bit set.
    TunnelFlags,
    /// VXLAN inside VXLAN.
    NestedTunnel,
    /// The inner frame has a second VLAN tag, or one that is not a C-tag.
    Vlan,
    /// The inner frame goes to a group address: it may be flooded.
    Multicast,
}

impl Unclassified {
    /// All reasons; each stands at its own [`index`](Self::index).
    pub const ALL: [Self; 11] = [
        Self::Truncated,
        Self::BadLength,
        Self::NotIp,
        Self::Fragment,
        Self::Options,
        Self::Extension,
        Self::ZeroPort,
        Self::TunnelFlags,
        Self::NestedTunnel,
        Self::Vlan,
        Self::Multicast,
    ];

    /// The number of reasons.
    pub const COUNT: usize = Self::ALL.len();

    /// The reason's place in an array of [`COUNT`](Self::COUNT) counters.
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The reason's name: lower case, words joined by `_`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::BadLength => "bad_length",
            Self::NotIp => "not_ip",
            Self::Fragment => "fragment",
            Self::Options => "options",
            Self::Extension => "extension",
            Self::ZeroPort => "zero_port",
            Self::TunnelFlags => "tunnel_flags",
            Self::NestedTunnel => "nested_tunnel",
            Self::Vlan => "vlan",
            Self::Multicast => "multicast",
        }
    }
}

impl fmt::Display for Unclassified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
