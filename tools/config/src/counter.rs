// SPDX-License-Identifier: GPL-2.0

//! The counters: files in `/sys/kernel/prism/stats`, and what each means to an operator.

/// What a counter tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// What was looked up, and what came of it.
    Classified,
    /// How packets went.
    Way,
    /// What waited.
    Waiting,
    /// What was dropped.
    Dropped,
    /// Why packets were not looked up.
    Unclassified,
    /// Why packets of class high did not take the short way of mode express.
    NotExpressed,
    /// Why a stage was left to the kernel.
    LeftToKernel,
}

impl Group {
    /// All groups, as they are shown.
    pub const ALL: [Self; 7] = [
        Self::Classified,
        Self::Way,
        Self::Waiting,
        Self::Dropped,
        Self::Unclassified,
        Self::NotExpressed,
        Self::LeftToKernel,
    ];

    /// Its heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Classified => "looked up",
            Self::Way => "how packets went",
            Self::Waiting => "waited",
            Self::Dropped => "dropped",
            Self::Unclassified => "not looked up",
            Self::NotExpressed => "no short way (mode express)",
            Self::LeftToKernel => "left to the kernel",
        }
    }

    /// Whether its counters say why something is not accelerated.
    pub const fn is_reason(self) -> bool {
        matches!(
            self,
            Self::Unclassified | Self::NotExpressed | Self::LeftToKernel
        )
    }
}

/// A counter of packets.
#[derive(Debug)]
pub struct Counter {
    /// The name of its file.
    pub name: &'static str,
    /// What it tells.
    pub group: Group,
    /// What it counts, in a line.
    pub what: &'static str,
    /// Whether it is part of normal work, where it is a reason.
    pub is_normal: bool,
}

impl Counter {
    /// The counter of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        COUNTERS.iter().find(|counter| counter.name == name)
    }
}

/// All counters that this version of the tools knows.
#[rustfmt::skip]
pub const COUNTERS: [Counter; 64] = {
    use Group::*;

    [
        counter("classified", Classified, "a rule names them"),
        counter("demoted", Classified, "of these, over the rate of their rule"),
        counter("unmatched", Classified, "no rule names them"),
        counter("completed", Way, "put through all stages at once"),
        counter("batched", Way, "of these, with others of their NIC's poll (mode batch)"),
        counter("expressed", Way, "of these, by the short way of mode express"),
        counter("decapsulated", Way, "past the queue of a VXLAN device"),
        counter("delivered", Way, "past the CPU's backlog, into a container"),
        counter("kept", Way, "of class high, left to GRO by their rule's gro"),
        counter("accelerated", Way, "served in another class than high, sent the way of the mode"),
        counter("route_reused", Way, "with the route of the packet before"),
        counter("consumed", Way, "taken by the device in front of the container"),
        counter("woken", Way, "woke a task (receiver_slice_us)"),
        counter("deferred_interactive", Waiting, "of class interactive, had to wait"),
        counter("deferred_normal", Waiting, "of class normal, had to wait"),
        counter("deferred_bulk", Waiting, "of class bulk, had to wait"),
        counter("served", Waiting, "served after they had waited"),
        counter("capped", Waiting, "of class high, over high_share"),
        counter("displaced", Waiting, "behind one of their flow that exceeded its rate or share"),
        counter("held", Waiting, "held back while settings or rules changed"),
        counter("dropped", Dropped, "while they were decapsulated: memory was short"),
        counter("dropped_high", Dropped, "of class high: a batch exceeded limit"),
        counter("dropped_interactive", Dropped, "of class interactive: too many waited"),
        counter("dropped_normal", Dropped, "of class normal: too many waited"),
        counter("dropped_bulk", Dropped, "of class bulk: too many waited"),
        counter("dropped_held", Dropped, "held back, and too many were"),
        counter("purged", Dropped, "their device went away while they waited"),
        normal("unclassified_not_ip", Unclassified, "neither IPv4 nor IPv6, such as ARP"),
        normal("unclassified_multicast", Unclassified, "to a group address, may be flooded"),
        counter("unclassified_truncated", Unclassified, "headers end early or are too long"),
        counter("unclassified_bad_length", Unclassified, "length fields contradict each other"),
        counter("unclassified_fragment", Unclassified, "IP fragments: is an MTU too small?"),
        counter("unclassified_options", Unclassified, "IPv4 options"),
        counter("unclassified_extension", Unclassified, "IPv6 extension headers"),
        counter("unclassified_zero_port", Unclassified, "port 0"),
        counter("unclassified_tunnel_flags", Unclassified, "VXLAN with flags of an extension"),
        counter("unclassified_nested_tunnel", Unclassified, "VXLAN inside VXLAN"),
        counter("unclassified_vlan", Unclassified, "more VLAN tags inside VXLAN than one"),
        counter("unclassified_merged", Unclassified, "merged by hardware or a virtual NIC (LRO)"),
        normal("express_learn", NotExpressed, "the kernel shows the way, once a second"),
        counter("express_hook", NotExpressed, "a netfilter hook or an IPsec policy sees them"),
        counter("express_tap", NotExpressed, "a packet socket sees them, such as tcpdump"),
        counter("express_tc", NotExpressed, "a tc or XDP program, a qdisc or RPS sees them"),
        counter("express_packet", NotExpressed, "a VLAN tag, a wrong checksum or their size"),
        counter("express_behind", NotExpressed, "those before them were left to the kernel, and wait"),
        counter("kernel_busy", LeftToKernel, "came while another ran to completion"),
        normal("kernel_learn", LeftToKernel, "the VXLAN driver learnt an address"),
        normal("kernel_refresh", LeftToKernel, "keeps a learnt address, once a second"),
        counter("kernel_headers", LeftToKernel, "incomplete headers"),
        counter("kernel_reserved", LeftToKernel, "bits of the VXLAN header the device does not know"),
        counter("kernel_features", LeftToKernel, "the VXLAN device uses an extension (GBP, GPE, metadata)"),
        counter("kernel_vni", LeftToKernel, "no device has the VNI"),
        counter("kernel_down", LeftToKernel, "the VXLAN device is down"),
        counter("kernel_loop", LeftToKernel, "sent by the VXLAN device itself"),
        counter("kernel_ecn", LeftToKernel, "ECN fields that do not go together"),
        counter("kernel_no_peer", LeftToKernel, "the container's device is down, or has no peer"),
        counter("kernel_xdp", LeftToKernel, "an XDP program in front of the container"),
        counter("kernel_qdisc", LeftToKernel, "a qdisc on the host's end of the container's device"),
        counter("kernel_tc", LeftToKernel, "a tc program there"),
        counter("kernel_tap", LeftToKernel, "a packet socket there, such as tcpdump"),
        counter("kernel_behind", LeftToKernel, "those before them were left there, and wait"),
        counter("kernel_gso", LeftToKernel, "would have to be segmented"),
        counter("kernel_mtu", LeftToKernel, "larger than the container's device takes"),
        counter("kernel_other", LeftToKernel, "anything else, such as several transmit queues"),
    ]
};

const fn counter(name: &'static str, group: Group, what: &'static str) -> Counter {
    Counter {
        name,
        group,
        what,
        is_normal: false,
    }
}

/// One that moves wherever all is well.
const fn normal(name: &'static str, group: Group, what: &'static str) -> Counter {
    Counter {
        name,
        group,
        what,
        is_normal: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel's side: the names in the module's source are the names here.
    #[test]
    fn all_of_the_module_are_known() {
        let source = include_str!("../../../prism/stats.rs");
        let names: Vec<&str> = source
            .lines()
            .filter_map(|line| line.split_once("= c\"")?.1.split('"').next())
            .collect();

        assert!(names.len() > 40);
        for name in &names {
            assert!(Counter::named(name).is_some(), "{name} is not known");
        }
        for counter in &COUNTERS {
            assert!(
                names.contains(&counter.name),
                "{} is not there",
                counter.name
            );
        }
    }
}
