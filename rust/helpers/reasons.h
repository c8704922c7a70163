/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What tracepoints say by a number: reasons are the counters of the module, in
 * the order that prism/stats.rs has them.
 */
#ifndef _KNET_REASONS_H
#define _KNET_REASONS_H

#define KNET_REASONS(R) \
	R(Classified, "classified") \
	R(Demoted, "demoted") \
	R(Displaced, "displaced") \
	R(Completed, "completed") \
	R(Kept, "kept") \
	R(Batched, "batched") \
	R(Expressed, "expressed") \
	R(Decapsulated, "decapsulated") \
	R(Delivered, "delivered") \
	R(RouteReused, "route_reused") \
	R(Woken, "woken") \
	R(Consumed, "consumed") \
	R(Dropped, "dropped") \
	R(Unmatched, "unmatched") \
	R(Capped, "capped") \
	R(DeferredInteractive, "deferred_interactive") \
	R(DeferredNormal, "deferred_normal") \
	R(DeferredBulk, "deferred_bulk") \
	R(Served, "served") \
	R(Accelerated, "accelerated") \
	R(DroppedHigh, "dropped_high") \
	R(DroppedInteractive, "dropped_interactive") \
	R(DroppedNormal, "dropped_normal") \
	R(DroppedBulk, "dropped_bulk") \
	R(Held, "held") \
	R(DroppedHeld, "dropped_held") \
	R(Purged, "purged") \
	R(UnclassifiedTruncated, "unclassified_truncated") \
	R(UnclassifiedBadLength, "unclassified_bad_length") \
	R(UnclassifiedNotIp, "unclassified_not_ip") \
	R(UnclassifiedFragment, "unclassified_fragment") \
	R(UnclassifiedOptions, "unclassified_options") \
	R(UnclassifiedExtension, "unclassified_extension") \
	R(UnclassifiedZeroPort, "unclassified_zero_port") \
	R(UnclassifiedTunnelFlags, "unclassified_tunnel_flags") \
	R(UnclassifiedNestedTunnel, "unclassified_nested_tunnel") \
	R(UnclassifiedVlan, "unclassified_vlan") \
	R(UnclassifiedMulticast, "unclassified_multicast") \
	R(UnclassifiedMerged, "unclassified_merged") \
	R(ExpressLearn, "express_learn") \
	R(ExpressHook, "express_hook") \
	R(ExpressTap, "express_tap") \
	R(ExpressTc, "express_tc") \
	R(ExpressPacket, "express_packet") \
	R(ExpressBehind, "express_behind") \
	R(KernelBusy, "kernel_busy") \
	R(KernelHeaders, "kernel_headers") \
	R(KernelReserved, "kernel_reserved") \
	R(KernelFeatures, "kernel_features") \
	R(KernelVni, "kernel_vni") \
	R(KernelDown, "kernel_down") \
	R(KernelLoop, "kernel_loop") \
	R(KernelEcn, "kernel_ecn") \
	R(KernelLearn, "kernel_learn") \
	R(KernelRefresh, "kernel_refresh") \
	R(KernelNoPeer, "kernel_no_peer") \
	R(KernelXdp, "kernel_xdp") \
	R(KernelQdisc, "kernel_qdisc") \
	R(KernelTc, "kernel_tc") \
	R(KernelTap, "kernel_tap") \
	R(KernelBehind, "kernel_behind") \
	R(KernelGso, "kernel_gso") \
	R(KernelMtu, "kernel_mtu") \
	R(KernelOther, "kernel_other")

/* Where a packet was when it was handed back to the kernel. */
#define KNET_STAGES(R)		\
	R(Entry, "entry")	\
	R(Tunnel, "tunnel")	\
	R(Container, "container")

/* Whereto a packet goes. */
#define KNET_PLACES(R)		\
	R(Queue, "queue")	\
	R(Batch, "batch")	\
	R(Gate, "gate")		\
	R(Gro, "gro")		\
	R(Stack, "stack")	\
	R(Tunnel, "tunnel")	\
	R(Container, "container") \
	R(Driver, "driver")

/* By which way. */
#define KNET_WAYS(R)		\
	R(Kernel, "kernel")	\
	R(Batch, "batch")	\
	R(Sync, "sync")		\
	R(Express, "express")

#define KNET_CLASSES(R)		\
	R(High, "high")		\
	R(Interactive, "interactive") \
	R(Normal, "normal")	\
	R(Bulk, "bulk")

#define KNET_REASON_ENUM(name, text)	KNET_REASON_##name,
#define KNET_STAGE_ENUM(name, text)	KNET_STAGE_##name,
#define KNET_PLACE_ENUM(name, text)	KNET_PLACE_##name,
#define KNET_WAY_ENUM(name, text)	KNET_WAY_##name,
#define KNET_CLASS_ENUM(name, text)	KNET_CLASS_##name,

enum knet_reason { KNET_REASONS(KNET_REASON_ENUM) KNET_REASON_COUNT };
enum knet_stage { KNET_STAGES(KNET_STAGE_ENUM) };
enum knet_place { KNET_PLACES(KNET_PLACE_ENUM) };
enum knet_way { KNET_WAYS(KNET_WAY_ENUM) };
enum knet_class { KNET_CLASSES(KNET_CLASS_ENUM) };

#endif /* _KNET_REASONS_H */
