// SPDX-License-Identifier: GPL-2.0

//! The rules that containers are to have.

use std::{
    collections::{
        BTreeMap,
        BTreeSet, //
    },
    fmt,
    net::IpAddr, //
};

use prism_config::{
    new_rule,
    rule::{
        AddressMatch,
        Match,
        PortMatch,
        Ports,
        Prefix,
        ProtocolMatch,
        Rule,
        VniMatch, //
    },
};

use crate::{
    container::{
        Container,
        Endpoint,
        Namespace,
        Network,
        Published, //
    },
    label::{
        merge,
        Asked,
        PortRange, //
    },
    own::rule_name,
};

/// The rules of a container, and what of it has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Desired {
    /// Rules by their names.
    pub(crate) rules: BTreeMap<String, Wanted>,
    /// What has none.
    pub(crate) lacking: Vec<Lacking>,
}

/// A rule of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The rule.
    pub(crate) rule: Rule,
    /// The name of the network that it is for; empty for the ports that are the host's.
    pub(crate) network: String,
}

/// A network of a container for which there is no rule, or all of them where it is empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lacking {
    /// The name of the network.
    pub(crate) network: String,
    /// Why.
    pub(crate) reason: Reason,
}

/// Why there is no rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    /// It has the network of the host.
    Host,
    /// It has no network.
    NoNetwork,
    /// It has the network of another container.
    Shared,
    /// An overlay network is encrypted.
    Encrypted,
    /// The engine does not tell which VNI an overlay network has.
    NoVni,
    /// Networks of that driver are not known.
    Driver(String),
    /// Nothing comes to the container from outside of the host.
    Unpublished,
}

impl Reason {
    /// A word for it.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::NoNetwork => "none",
            Self::Shared => "shared",
            Self::Encrypted => "encrypted",
            Self::NoVni => "no_vni",
            Self::Driver(_) => "driver",
            Self::Unpublished => "unpublished",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str(
                "it has the network of the host; use prismctl rule add with vni=none for its ports",
            ),
            Self::NoNetwork => f.write_str("it has no network"),
            Self::Shared => {
                f.write_str("it has the network of another container, which can have the labels")
            }
            Self::Encrypted => f.write_str(
                "the network is encrypted, and what comes through IPsec is left to the kernel",
            ),
            Self::NoVni => f.write_str("the engine does not tell the VNI of the network"),
            Self::Driver(driver) => {
                write!(f, "networks of driver {} are left alone", driver.escape_debug())
            }
            Self::Unpublished => f.write_str(
                "it is in no overlay network and none of the ports in question is published, so nothing comes to it from other hosts",
            ),
        }
    }
}

impl Desired {
    /// What a container is to have that asks for something. `networks` has those that are known, by ID.
    pub(crate) fn new<'a>(
        container: &Container,
        asked: &Asked,
        networks: impl Fn(&str) -> Option<&'a Network>,
    ) -> Self {
        let alone = |reason| Self {
            lacking: vec![Lacking {
                network: String::new(),
                reason,
            }],
            ..Self::default()
        };

        match container.namespace {
            Namespace::Host => return alone(Reason::Host),
            Namespace::Empty => return alone(Reason::NoNetwork),
            Namespace::Shared => return alone(Reason::Shared),
            Namespace::Own => (),
        }
        let mut desired = Self::default();
        for endpoint in &container.endpoints {
            match networks(&endpoint.network) {
                Some(network) => desired.add_endpoint(container, asked, endpoint, network),
                // It went meanwhile, and so does the endpoint.
                None => continue,
            }
        }
        desired.add_published(container, asked);
        if desired == Self::default() {
            return alone(Reason::Unpublished);
        }
        desired
    }

    /// Adds the rules for what comes to an address of the container.
    fn add_endpoint(
        &mut self,
        container: &Container,
        asked: &Asked,
        endpoint: &Endpoint,
        network: &Network,
    ) {
        let lacking = match network {
            Network::Overlay { is_ingress, .. } => match network.vni(endpoint) {
                Some(vni) => {
                    let flows = flows(asked.ports.as_deref(), *is_ingress);

                    self.add(container, asked, endpoint, VniMatch::Is(vni), flows, |_| {
                        true
                    });
                    return;
                }
                None => Reason::NoVni,
            },
            Network::Bridge {
                is_routed_v4,
                is_routed_v6,
            } => {
                let flows = flows(asked.ports.as_deref(), false);

                self.add(
                    container,
                    asked,
                    endpoint,
                    VniMatch::None,
                    flows,
                    |address| match address {
                        IpAddr::V4(_) => *is_routed_v4,
                        IpAddr::V6(_) => *is_routed_v6,
                    },
                );
                return;
            }
            Network::Encrypted => Reason::Encrypted,
            Network::Other(driver) => Reason::Driver(driver.clone()),
        };

        self.lacking.push(Lacking {
            network: endpoint.name.clone(),
            reason: lacking,
        });
    }

    /// Adds a rule for each of `flows` and each address of an endpoint for which `is_meant`.
    fn add(
        &mut self,
        container: &Container,
        asked: &Asked,
        endpoint: &Endpoint,
        vni: VniMatch,
        flows: Vec<Match>,
        is_meant: impl Fn(IpAddr) -> bool,
    ) {
        let mut number = 0;

        for address in endpoint.addresses().filter(|address| is_meant(*address)) {
            for flow in &flows {
                let flow = Match {
                    vni,
                    destination: host_prefix(address),
                    ..*flow
                };
                let name = rule_name(&container.id, Some(&endpoint.network), number);

                self.insert(name, asked, flow, &endpoint.name);
                number += 1;
            }
        }
    }

    /// Adds the rules for what comes to ports of the host that lead to the container.
    fn add_published(&mut self, container: &Container, asked: &Asked) {
        let is_asked = |published: &Published| match &asked.ports {
            None => true,
            Some(ranges) => ranges
                .iter()
                .any(|range| range.has(published.protocol, published.port)),
        };
        let mut number = 0;
        // Destinations, in an order that does not depend on what the engine tells first.
        let destinations: BTreeSet<String> = container
            .published
            .iter()
            .map(|published| published.destination.to_string())
            .collect();

        for destination in destinations {
            let mut ranges: Vec<PortRange> = container
                .published
                .iter()
                .filter(|published| published.destination.to_string() == destination)
                .filter(|published| is_asked(published))
                .filter_map(|published| {
                    Some(PortRange {
                        protocol: published.protocol,
                        ports: Ports::new(published.host_port, published.host_port).ok()?,
                    })
                })
                .collect();

            merge(&mut ranges);
            for flow in flows(Some(&ranges), false) {
                let flow = Match {
                    vni: VniMatch::None,
                    // What was just shown can be read.
                    destination: destination.parse().unwrap_or_default(),
                    ..flow
                };

                self.insert(rule_name(&container.id, None, number), asked, flow, "");
                number += 1;
            }
        }
    }

    fn insert(&mut self, name: String, asked: &Asked, flow: Match, network: &str) {
        let rule = Rule {
            flows: Match {
                dscp: asked.dscp,
                ..flow
            },
            class: asked.class,
            rate: asked.rate,
            enabled: true,
            ..new_rule()
        };

        self.rules.insert(
            name,
            Wanted {
                rule,
                network: network.to_owned(),
            },
        );
    }
}

/// What tells the flows to ports apart: protocols and ports, or protocols alone where the ports are
/// translated on the way.
fn flows(ports: Option<&[PortRange]>, are_translated: bool) -> Vec<Match> {
    let Some(ranges) = ports else {
        return vec![Match::ANY];
    };
    let mut flows: Vec<Match> = ranges
        .iter()
        .map(|range| Match {
            protocol: ProtocolMatch::Is(range.protocol),
            destination_port: if are_translated {
                PortMatch::Any
            } else {
                PortMatch::In(range.ports)
            },
            ..Match::ANY
        })
        .collect();

    // Ranges are sorted by protocol.
    flows.dedup();
    flows
}

/// A single host.
fn host_prefix(address: IpAddr) -> AddressMatch {
    let length = match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    };

    // No address has bits behind its last.
    Prefix::new(address, length).map_or(AddressMatch::Any, AddressMatch::In)
}

#[cfg(test)]
mod tests;
