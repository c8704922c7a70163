// SPDX-License-Identifier: GPL-2.0

//! What can be wrong with a rule.

use core::{
    fmt,
    net::IpAddr, //
};

use super::{
    Prefix,
    NAME_MAX, //
};

/// Why a value or a rule is refused. Displayed, it completes a line that names the field and the
/// value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The text is none of what the field takes, which is named.
    Expected(&'static str),
    /// Port zero, alone or in a range.
    PortZero,
    /// A range of ports whose first is greater than its last.
    Reversed {
        /// The first port.
        first: u16,
        /// The last port.
        last: u16,
    },
    /// A prefix longer than the address.
    PrefixLength {
        /// The longest prefix of the family, in bits.
        max: u8,
    },
    /// An address that has bits behind the prefix.
    HostBits {
        /// The address as given.
        address: IpAddr,
        /// The prefix without these bits.
        prefix: Prefix,
    },
    /// A rule to be enabled has no field that tells any flow from another.
    NoMatch,
    /// A rule to be enabled has ports, but not a protocol that has them.
    PortsWithoutProtocol,
    /// A rule to be enabled has a source and a destination of different families.
    Families,
    /// A rule to be enabled has ICMP and IPv6 addresses, or ICMPv6 and IPv4 addresses.
    IcmpFamily,
    /// The name of a rule is empty or too long.
    NameLength,
    /// The name of a rule has a character that is not allowed, or starts with a dot.
    NameCharacters,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expected(what) => write!(f, "expected {what}"),
            Self::PortZero => f.write_str("port 0 is reserved"),
            Self::Reversed { first, last } => write!(f, "port range {first}-{last} is reversed"),
            Self::PrefixLength { max } => write!(f, "prefix is longer than {max} bits"),
            Self::HostBits { address, prefix } => {
                write!(f, "{address} has bits set outside of {prefix}")
            }
            Self::NoMatch => f.write_str("no field is set that matches a packet"),
            Self::PortsWithoutProtocol => f.write_str("ports need protocol tcp, udp or sctp"),
            Self::Families => f.write_str("source and destination are of different IP versions"),
            Self::IcmpFamily => f.write_str("icmp is for IPv4 addresses, icmpv6 for IPv6 ones"),
            Self::NameLength => write!(f, "a name has 1 to {NAME_MAX} characters"),
            Self::NameCharacters => {
                f.write_str("a name has letters, digits and _.:- and does not start with a dot")
            }
        }
    }
}
