// SPDX-License-Identifier: GPL-2.0

//! Containers and networks, as far as they matter here.

use std::{
    collections::HashMap,
    net::IpAddr, //
};

use bollard::models::{
    ContainerInspectResponse,
    NetworkInspect, //
};
use prism_config::{
    classify::{
        Protocol,
        Vni, //
    },
    rule::{
        AddressMatch,
        Prefix, //
    },
};

/// A container that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Container {
    /// All of its ID.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: String,
    /// Its labels.
    pub(crate) labels: HashMap<String, String>,
    /// Whose network namespace it has.
    pub(crate) namespace: Namespace,
    /// Where it is in networks.
    pub(crate) endpoints: Vec<Endpoint>,
    /// Its ports that are the host's, too.
    pub(crate) published: Vec<Published>,
}

/// A network namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Namespace {
    /// The container's own.
    Own,
    /// That of the host.
    Host,
    /// One without networks.
    Empty,
    /// Another container's.
    Shared,
}

/// A container's place in a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// The ID of the network.
    pub(crate) network: String,
    /// Its name.
    pub(crate) name: String,
    /// The container's IPv4 address there.
    pub(crate) v4: Option<IpAddr>,
    /// Its IPv6 address there.
    pub(crate) v6: Option<IpAddr>,
}

impl Endpoint {
    /// Its addresses.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.v4.into_iter().chain(self.v6)
    }
}

/// A port of a container, and the port of the host that leads there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    /// The protocol of both.
    pub(crate) protocol: Protocol,
    /// The container's.
    pub(crate) port: u16,
    /// The host's.
    pub(crate) host_port: u16,
    /// Which of the host's addresses.
    pub(crate) destination: AddressMatch,
}

/// A network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    /// VXLAN: what each subnet has as its VNI; a single one is for all.
    Overlay {
        /// Subnets with their VNIs.
        vnis: Vec<(Option<AddressMatch>, Vni)>,
        /// Whether Swarm's published ports come through it.
        is_ingress: bool,
    },
    /// VXLAN inside IPsec.
    Encrypted,
    /// A bridge of the host.
    Bridge {
        /// Whether IPv4 is routed to containers rather than translated.
        is_routed_v4: bool,
        /// The same of IPv6.
        is_routed_v6: bool,
    },
    /// Anything else, by the name of its driver.
    Other(String),
}

impl Container {
    /// What the engine tells of a container; `None` where it does not run.
    ///
    /// # Errors
    ///
    /// What it does not tell and has to.
    pub(crate) fn new(told: ContainerInspectResponse) -> Result<Option<Self>, &'static str> {
        let is_running = told.state.as_ref().and_then(|state| state.running);
        let is_restarting = told.state.and_then(|state| state.restarting);
        // A paused one runs. One that waits to be started again is said to run, too.
        if !is_running.ok_or("State.Running")? || is_restarting == Some(true) {
            return Ok(None);
        }
        let settings = told.network_settings.unwrap_or_default();
        let mode = told
            .host_config
            .and_then(|config| config.network_mode)
            .unwrap_or_default();
        let mut endpoints: Vec<Endpoint> = settings
            .networks
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(name, endpoint)| {
                Some(Endpoint {
                    network: endpoint.network_id.filter(|id| !id.is_empty())?,
                    name,
                    v4: address(endpoint.ip_address),
                    v6: address(endpoint.global_ipv6_address),
                })
            })
            .collect();

        endpoints.sort_by(|a, b| a.network.cmp(&b.network));
        Ok(Some(Self {
            id: told.id.ok_or("Id")?,
            name: told
                .name
                .unwrap_or_default()
                .trim_start_matches('/')
                .to_owned(),
            labels: told
                .config
                .and_then(|config| config.labels)
                .unwrap_or_default(),
            namespace: match mode.as_str() {
                "host" => Namespace::Host,
                "none" => Namespace::Empty,
                mode if mode.starts_with("container:") => Namespace::Shared,
                _ => Namespace::Own,
            },
            endpoints,
            published: published(settings.ports.unwrap_or_default()),
        }))
    }
}

fn address(text: Option<String>) -> Option<IpAddr> {
    text?.parse().ok()
}

/// The ports of the host that lead to a container, from elsewhere than the host.
fn published(ports: bollard::models::PortMap) -> Vec<Published> {
    let mut published = Vec::new();

    for (name, bindings) in ports {
        let Some((port, protocol)) = port(&name) else {
            continue;
        };

        for binding in bindings.unwrap_or_default() {
            let host_port = binding
                .host_port
                .and_then(|port| port.parse::<u16>().ok())
                .filter(|port| *port != 0);
            let (Some(host_port), Some(destination)) =
                (host_port, host_address(binding.host_ip.as_deref()))
            else {
                continue;
            };

            published.push(Published {
                protocol,
                port,
                host_port,
                destination,
            });
        }
    }
    published
}

/// Parses `6379/tcp`.
fn port(text: &str) -> Option<(u16, Protocol)> {
    let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = match protocol {
        "tcp" => Protocol::TCP,
        "udp" => Protocol::UDP,
        "sctp" => Protocol::SCTP,
        _ => return None,
    };

    Some((port.parse().ok()?, protocol))
}

/// The addresses that a port is published at: one, or all of a family. `None` for those to which
/// nothing comes from a NIC.
fn host_address(text: Option<&str>) -> Option<AddressMatch> {
    let address: IpAddr = match text {
        None | Some("") => return Some(AddressMatch::Any),
        Some(text) => text.parse().ok()?,
    };

    if address.is_loopback() {
        return None;
    }
    let length = match address {
        address if address.is_unspecified() => 0,
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    };
    Prefix::new(address, length).ok().map(AddressMatch::In)
}

/// The driver option with the VNIs of an overlay network.
const VNIS: &str = "com.docker.network.driver.overlay.vxlanid_list";

impl Network {
    /// What the engine tells of a network.
    pub(crate) fn new(told: NetworkInspect) -> Self {
        let options = told.options.unwrap_or_default();
        let is_routed = |family: &str| {
            let name = format!("com.docker.network.bridge.gateway_mode_{family}");

            options.get(&name).is_some_and(|mode| mode == "routed")
        };

        match told.driver.as_deref().unwrap_or_default() {
            // The engine does not look at its value either.
            "overlay" if options.contains_key("encrypted") => Self::Encrypted,
            "overlay" => {
                let subnets = told.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
                let subnets = subnets
                    .into_iter()
                    .filter_map(|config| config.subnet?.parse::<AddressMatch>().ok())
                    // One VNI for each that is IPv4.
                    .filter(|subnet| subnet.family() == Some(prism_config::classify::Family::V4))
                    .map(Some)
                    .chain(std::iter::repeat(None));
                let vnis = options
                    .get(VNIS)
                    .into_iter()
                    .flat_map(|list| list.split(','))
                    .filter_map(|vni| vni.trim().parse().ok().and_then(Vni::new));

                Self::Overlay {
                    vnis: subnets.zip(vnis).collect(),
                    is_ingress: told.ingress.unwrap_or(false),
                }
            }
            "bridge" => Self::Bridge {
                is_routed_v4: is_routed("ipv4"),
                is_routed_v6: is_routed("ipv6"),
            },
            driver => Self::Other(driver.to_owned()),
        }
    }

    /// The VNI that packets to an endpoint come with, if this is an overlay and the engine tells.
    pub(crate) fn vni(&self, endpoint: &Endpoint) -> Option<Vni> {
        let Self::Overlay { vnis, .. } = self else {
            return None;
        };

        match vnis.as_slice() {
            [(_, vni)] => Some(*vni),
            // What an endpoint has of IPv6 is on the device of its IPv4 subnet.
            vnis => vnis
                .iter()
                .find(|(subnet, _)| match (subnet, endpoint.v4) {
                    (Some(AddressMatch::In(subnet)), Some(address)) => has(subnet, address),
                    _ => false,
                })
                .map(|(_, vni)| *vni),
        }
    }
}

/// Whether an address is in a subnet.
fn has(subnet: &Prefix, address: IpAddr) -> bool {
    let bits = |address| match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let ((base, width), (address, same)) = (bits(subnet.address()), bits(address));
    let behind = u32::from(width - subnet.length());

    width == same && base.checked_shr(behind) == address.checked_shr(behind)
}

#[cfg(test)]
mod tests;
