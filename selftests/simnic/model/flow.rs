// SPDX-License-Identifier: GPL-2.0

//! The description of a flow: a line of text.
//!
//! ```text
//! NAME KEY=VALUE...
//! ```
//!
//! | key | value | default |
//! |---|---|---|
//! | `rate` | packets per second | needed |
//! | `source`, `destination` | addresses of one family: the inner ones of a tunnel | needed |
//! | `protocol` | `udp`, `tcp`: of a connection, from its first byte on | `udp` |
//! | `burst` | packets that arrive at once | 1 |
//! | `arrivals` | of bursts: `regular`, `random` (exponential gaps) | `regular` |
//! | `seed` | of random arrivals | 1 |
//! | `size` | bytes of content, from 24 to 1400 | 64 |
//! | `source_port`, `destination_port` | | 40000, 5001 |
//! | `ports` | how many source ports take turns; TCP has one | 1 |
//! | `from_ms`, `to_ms` | when, from the start of the traffic | 0, its end |
//! | `vni` | in VXLAN | none |
//! | `outer_source`, `outer_destination` | needed with `vni` | |
//! | `vxlan_port` | | 4789 |
//! | `source_mac`, `destination_mac` | of the inner frame | needed with `vni` |
//! | `note` | what else is noted: `gap`, `jitter`, `age`, see [`Since`](super::note::Since); may be given several times | nothing |
//! | `group` | packets of which it is noted when the last was received, see [`Group`](super::note::Group) | none |

use core::{
    fmt,
    net::IpAddr,
    str::FromStr, //
};

use super::frame::STAMP_LEN;

/// The longest name of a flow, in bytes.
pub const NAME_MAX: usize = 32;
/// The most bytes of content.
pub const SIZE_MAX: u16 = 1400;

/// A MAC address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mac(pub [u8; 6]);

impl FromStr for Mac {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut octets = [0; 6];
        let mut parts = text.split(':');

        for octet in &mut octets {
            let part = parts.next().filter(|part| part.len() == 2).ok_or(())?;
            *octet = u8::from_str_radix(part, 16).map_err(|_| ())?;
        }
        match parts.next() {
            None => Ok(Self(octets)),
            Some(_) => Err(()),
        }
    }
}

/// A name, held in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    bytes: [u8; NAME_MAX],
    len: u8,
}

impl Name {
    fn new(text: &str) -> Option<Self> {
        let mut bytes = [0; NAME_MAX];

        bytes
            .get_mut(..text.len())?
            .copy_from_slice(text.as_bytes());
        Some(Self {
            bytes,
            len: text.len() as u8,
        })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.len.into()).unwrap_or_default();

        core::str::from_utf8(bytes).unwrap_or_default()
    }
}

/// How bursts follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// At equal distances.
    Regular,
    /// At exponentially distributed distances, a Poisson process.
    Random,
}

/// Two addresses of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// From where.
    pub source: IpAddr,
    /// To where.
    pub destination: IpAddr,
}

/// The tunnel that a flow comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// The VXLAN Network Identifier.
    pub vni: u32,
    /// The outer addresses: of the VTEPs.
    pub outer: Addresses,
    /// The outer destination port.
    pub port: u16,
    /// Of the inner frame.
    pub source_mac: Mac,
    /// Of the inner frame.
    pub destination_mac: Mac,
}

/// What packets of a flow are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Datagrams (RFC 768).
    Udp,
    /// Segments of a connection that was established before (RFC 9293).
    Tcp,
}

/// What is noted of a flow besides the times of its packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    /// Times between one reception and the next.
    pub gap: bool,
    /// Differences between the times of one packet and the next.
    pub jitter: bool,
    /// How old the newest packet has become when a newer one is received.
    pub age: bool,
    /// How many packets are a group whose completion is noted; 0 for none.
    pub group: u32,
}

/// A flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// What results call it.
    pub name: Name,
    /// Packets per second.
    pub rate: u32,
    /// What its packets are.
    pub protocol: Protocol,
    /// Packets that arrive at once.
    pub burst: u32,
    /// When bursts arrive.
    pub process: Process,
    /// Of random arrivals.
    pub seed: u64,
    /// Bytes of content.
    pub size: u16,
    /// Of the packet, or of the inner one.
    pub addresses: Addresses,
    /// The first source port.
    pub source_port: u16,
    /// The destination port.
    pub destination_port: u16,
    /// How many source ports take turns.
    pub ports: u16,
    /// When it starts, in ms.
    pub from_ms: u32,
    /// When it ends, in ms.
    pub to_ms: u32,
    /// `None` for plain packets.
    pub tunnel: Option<Tunnel>,
    /// What else is noted.
    pub noted: Noted,
}

/// What is wrong with a description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error<'a> {
    /// A name that is missing, too long or not made of letters, digits, `-`, `_` and `.`.
    Name,
    /// A word that is not `KEY=VALUE` with a key there is.
    Key(&'a str),
    /// A value that its key does not take.
    Value(&'a str),
    /// A key that is needed.
    Missing(&'static str),
    /// Addresses of different families.
    Families,
    /// A connection with several source ports.
    Ports,
}

impl fmt::Display for Error<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => write!(f, "a flow needs a name of at most {NAME_MAX} letters"),
            Self::Key(word) => write!(f, "'{word}' is no KEY=VALUE of a flow"),
            Self::Value(word) => write!(f, "'{word}': no such value"),
            Self::Missing(key) => write!(f, "{key} is missing"),
            Self::Families => f.write_str("addresses of different families"),
            Self::Ports => f.write_str("a TCP flow has one source port"),
        }
    }
}

/// The words of a line, as they are read.
#[derive(Default)]
struct Words {
    source: Option<IpAddr>,
    destination: Option<IpAddr>,
    outer_source: Option<IpAddr>,
    outer_destination: Option<IpAddr>,
    source_mac: Option<Mac>,
    destination_mac: Option<Mac>,
    vni: Option<u32>,
    vxlan_port: Option<u16>,
}

impl Flow {
    /// Reads a line.
    pub fn parse(line: &str) -> Result<Self, Error<'_>> {
        let mut words = line.split_ascii_whitespace();
        let name = words
            .next()
            .filter(|name| name.bytes().all(is_of_name))
            .and_then(Name::new)
            .ok_or(Error::Name)?;
        let nowhere = IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED);
        let mut rest = Words::default();
        let mut flow = Self {
            name,
            rate: 0,
            protocol: Protocol::Udp,
            burst: 1,
            process: Process::Regular,
            seed: 1,
            size: 64,
            addresses: Addresses {
                source: nowhere,
                destination: nowhere,
            },
            source_port: 40000,
            destination_port: 5001,
            ports: 1,
            from_ms: 0,
            to_ms: u32::MAX,
            tunnel: None,
            noted: Noted::default(),
        };

        for word in words {
            flow.set(word, &mut rest)?;
        }
        if flow.rate == 0 {
            return Err(Error::Missing("rate"));
        }
        if flow.protocol == Protocol::Tcp && flow.ports != 1 {
            return Err(Error::Ports);
        }
        flow.addresses = pair(rest.source, "source", rest.destination, "destination")?;
        flow.tunnel = rest.tunnel()?;
        Ok(flow)
    }

    fn set<'a>(&mut self, word: &'a str, rest: &mut Words) -> Result<(), Error<'a>> {
        let (key, value) = word.split_once('=').ok_or(Error::Key(word))?;
        let wrong = Error::Value(word);

        match key {
            "rate" => self.rate = within(value, 1, 100_000_000).ok_or(wrong)?,
            "protocol" => {
                self.protocol = match value {
                    "udp" => Protocol::Udp,
                    "tcp" => Protocol::Tcp,
                    _ => return Err(wrong),
                }
            }
            "note" => match value {
                "gap" => self.noted.gap = true,
                "jitter" => self.noted.jitter = true,
                "age" => self.noted.age = true,
                _ => return Err(wrong),
            },
            "group" => self.noted.group = within(value, 1, 65536).ok_or(wrong)?,
            "burst" => self.burst = within(value, 1, 4096).ok_or(wrong)?,
            "arrivals" => {
                self.process = match value {
                    "regular" => Process::Regular,
                    "random" => Process::Random,
                    _ => return Err(wrong),
                }
            }
            "seed" => self.seed = value.parse().map_err(|_| wrong)?,
            "size" => {
                self.size = within(value, STAMP_LEN as u32, SIZE_MAX.into()).ok_or(wrong)? as u16
            }
            "source_port" => self.source_port = port(value).ok_or(wrong)?,
            "destination_port" => self.destination_port = port(value).ok_or(wrong)?,
            "ports" => self.ports = port(value).ok_or(wrong)?,
            "from_ms" => self.from_ms = value.parse().map_err(|_| wrong)?,
            "to_ms" => self.to_ms = value.parse().map_err(|_| wrong)?,
            "source" => rest.source = Some(value.parse().map_err(|_| wrong)?),
            "destination" => rest.destination = Some(value.parse().map_err(|_| wrong)?),
            "outer_source" => rest.outer_source = Some(value.parse().map_err(|_| wrong)?),
            "outer_destination" => rest.outer_destination = Some(value.parse().map_err(|_| wrong)?),
            "source_mac" => rest.source_mac = Some(value.parse().map_err(|()| wrong)?),
            "destination_mac" => rest.destination_mac = Some(value.parse().map_err(|()| wrong)?),
            "vni" => rest.vni = Some(within(value, 0, 0xff_ffff).ok_or(wrong)?),
            "vxlan_port" => rest.vxlan_port = Some(port(value).ok_or(wrong)?),
            _ => return Err(Error::Key(word)),
        }
        Ok(())
    }
}

impl Words {
    fn tunnel(&self) -> Result<Option<Tunnel>, Error<'static>> {
        let Some(vni) = self.vni else {
            return Ok(None);
        };

        Ok(Some(Tunnel {
            vni,
            outer: pair(
                self.outer_source,
                "outer_source",
                self.outer_destination,
                "outer_destination",
            )?,
            port: self.vxlan_port.unwrap_or(4789),
            source_mac: self.source_mac.ok_or(Error::Missing("source_mac"))?,
            destination_mac: self
                .destination_mac
                .ok_or(Error::Missing("destination_mac"))?,
        }))
    }
}

fn pair(
    source: Option<IpAddr>,
    source_key: &'static str,
    destination: Option<IpAddr>,
    destination_key: &'static str,
) -> Result<Addresses, Error<'static>> {
    let addresses = Addresses {
        source: source.ok_or(Error::Missing(source_key))?,
        destination: destination.ok_or(Error::Missing(destination_key))?,
    };

    if addresses.source.is_ipv4() != addresses.destination.is_ipv4() {
        return Err(Error::Families);
    }
    Ok(addresses)
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

fn within(text: &str, least: u32, most: u32) -> Option<u32> {
    text.parse()
        .ok()
        .filter(|value| (least..=most).contains(value))
}

fn port(text: &str) -> Option<u16> {
    within(text, 1, u16::MAX.into()).map(|port| port as u16)
}
