// SPDX-License-Identifier: GPL-2.0

//! The stages of a packet's way, and the functions at which they begin.

use serde::Serialize;

use crate::symbols::Function;

/// A stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The interrupt, up to the driver's handler and from there to the softirq.
    Interrupt,
    /// What finds the NAPI instance whose turn it is.
    Softirq,
    /// The driver: its interrupt handler and its poll.
    Driver,
    /// The kernel's own GRO on the NIC.
    Gro,
    /// PRISM at GRO: look up, account, queue.
    Hook,
    /// PRISM's own NAPI instance, which serves what was queued.
    Turn,
    /// PRISM's short way past the outer layers and the bridge.
    Short,
    /// From the NIC to the tunnel's socket: what every device has on receive, IP and UDP.
    Outer,
    /// The tunnel: VXLAN's own function or PRISM's.
    Decapsulation,
    /// The queue behind the tunnel, with GRO once more.
    Cells,
    /// What every device has on receive, for the tunnel's, and the bridge.
    Bridge,
    /// Sending to the container: what every device has on transmit, veth, PRISM's delivery.
    Veth,
    /// The CPU's backlog behind the veth.
    Backlog,
    /// The container: what every device has on receive, IP and UDP.
    Inner,
    /// The socket.
    Socket,
}

impl Stage {
    /// All, as a packet comes along.
    pub const ALL: [Self; 15] = [
        Self::Interrupt,
        Self::Softirq,
        Self::Driver,
        Self::Gro,
        Self::Hook,
        Self::Turn,
        Self::Short,
        Self::Outer,
        Self::Decapsulation,
        Self::Cells,
        Self::Bridge,
        Self::Veth,
        Self::Backlog,
        Self::Inner,
        Self::Socket,
    ];

    /// What tables call it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Interrupt => "interrupt",
            Self::Softirq => "softirq",
            Self::Driver => "driver",
            Self::Gro => "GRO",
            Self::Hook => "PRISM's first stage",
            Self::Turn => "PRISM's turn",
            Self::Short => "PRISM's short way",
            Self::Outer => "outer IP, UDP",
            Self::Decapsulation => "decapsulation",
            Self::Cells => "gro_cells",
            Self::Bridge => "bridge",
            Self::Veth => "veth",
            Self::Backlog => "backlog",
            Self::Inner => "inner IP, UDP",
            Self::Socket => "socket",
        }
    }

    /// Whether it is PRISM's alone.
    #[must_use]
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Hook | Self::Turn | Self::Short)
    }

    /// The stage in which `function` is that is called in this one.
    #[must_use]
    pub fn of_call(self, function: &Function) -> Self {
        RULES
            .iter()
            .find(|rule| rule.within.contains(&self) && rule.callee.is(function))
            .map_or(self, |rule| rule.begins)
    }
}

/// What a rule is about.
enum Callee {
    /// Functions of these names.
    Named(&'static [&'static str]),
    /// Any function of this module.
    Of(&'static str),
}

impl Callee {
    fn is(&self, function: &Function) -> bool {
        match self {
            Self::Named(names) => names.contains(&&*function.name),
            Self::Of(module) => function.module == *module,
        }
    }
}

/// `callee`, when it is called in one of the stages `within`, begins a stage.
struct Rule {
    within: &'static [Stage],
    callee: Callee,
    begins: Stage,
}

/// What hands packets to the layer above a device.
const RECEIVE: Callee = Callee::Named(&[
    "netif_receive_skb",
    "__netif_receive_skb",
    "netif_receive_skb_internal",
    "netif_receive_skb_list_internal",
]);

const RULES: &[Rule] = &[
    Rule {
        within: &Stage::ALL,
        callee: Callee::Named(&["handle_softirqs"]),
        begins: Stage::Softirq,
    },
    Rule {
        within: &[Stage::Interrupt, Stage::Softirq],
        callee: Callee::Of("simnic"),
        begins: Stage::Driver,
    },
    Rule {
        within: &[Stage::Softirq],
        callee: Callee::Named(&["gro_cell_poll"]),
        begins: Stage::Cells,
    },
    Rule {
        within: &[Stage::Softirq],
        callee: Callee::Named(&["process_backlog"]),
        begins: Stage::Backlog,
    },
    Rule {
        within: &[Stage::Driver],
        callee: Callee::Named(&["gro_receive_skb", "napi_gro_frags", "napi_complete_done"]),
        begins: Stage::Gro,
    },
    Rule {
        within: &[Stage::Gro],
        callee: Callee::Of("prism"),
        begins: Stage::Hook,
    },
    Rule {
        within: &[Stage::Softirq],
        callee: Callee::Of("prism"),
        begins: Stage::Turn,
    },
    Rule {
        within: &[Stage::Hook, Stage::Turn],
        callee: Callee::Named(&["knet_express_cross"]),
        begins: Stage::Short,
    },
    Rule {
        within: &[Stage::Hook, Stage::Turn],
        callee: Callee::Named(&["knet_receive_decapsulated"]),
        begins: Stage::Bridge,
    },
    Rule {
        within: &[Stage::Hook, Stage::Turn],
        callee: Callee::Named(&["knet_receive_delivered"]),
        begins: Stage::Inner,
    },
    Rule {
        within: &[Stage::Hook, Stage::Turn],
        callee: Callee::Named(&["inet_gro_receive", "ipv6_gro_receive"]),
        begins: Stage::Gro,
    },
    Rule {
        within: &[Stage::Driver, Stage::Gro, Stage::Hook, Stage::Turn],
        callee: RECEIVE,
        begins: Stage::Outer,
    },
    Rule {
        within: &[Stage::Outer],
        callee: Callee::Of("vxlan"),
        begins: Stage::Decapsulation,
    },
    Rule {
        within: &[Stage::Outer],
        callee: Callee::Of("prism"),
        begins: Stage::Decapsulation,
    },
    Rule {
        within: &[Stage::Decapsulation],
        callee: Callee::Named(&["gro_cells_receive"]),
        begins: Stage::Cells,
    },
    Rule {
        within: &[Stage::Decapsulation, Stage::Cells],
        callee: RECEIVE,
        begins: Stage::Bridge,
    },
    Rule {
        within: &[Stage::Bridge],
        callee: Callee::Named(&["__dev_queue_xmit"]),
        begins: Stage::Veth,
    },
    Rule {
        within: &[Stage::Veth],
        callee: Callee::Named(&["netif_rx", "__netif_rx", "netif_rx_internal"]),
        begins: Stage::Backlog,
    },
    Rule {
        within: &[Stage::Veth, Stage::Backlog],
        callee: RECEIVE,
        begins: Stage::Inner,
    },
    Rule {
        within: &[Stage::Inner],
        callee: Callee::Named(&["udp_queue_rcv_skb", "udp_queue_rcv_one_skb"]),
        begins: Stage::Socket,
    },
];

/// Whether `function`, in this stage, is where simnic notes that the packet has reached its socket.
#[must_use]
pub fn is_arrival(stage: Stage, function: &Function) -> bool {
    stage == Stage::Socket && function.name == "knet_ktime_ns"
}

/// Whether `function` is where an interrupt enters the kernel.
#[must_use]
pub fn is_interrupt(function: &Function) -> bool {
    function.name.starts_with("asm_sysvec_") || function.name == "asm_common_interrupt"
}

/// Whether `function` is where the processor turns to another task.
#[must_use]
pub fn is_switch(function: &Function) -> bool {
    function.name == "__schedule"
}
