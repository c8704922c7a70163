/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints, as the Rust side calls them.
 */
#ifndef _KNET_TRACE_H
#define _KNET_TRACE_H

#include <linux/jump_label.h>
#include <linux/types.h>

#include "reasons.h"

struct net_device;

/* What is known of a packet. All zero but skb: its flow is not. */
struct knet_seen {
	u64 skb;		/* its address, to be compared only */
	u64 source[2];		/* in host order; IPv4 as ::ffff:0:0/96 */
	u64 destination[2];
	u32 hash;		/* of all the fields of the flow */
	s32 vni;		/* -1 without a tunnel */
	u16 source_port;
	u16 destination_port;
	u8 family;		/* 4, 6; 0 where nothing is known */
	u8 protocol;
	u8 dscp;
};

/* Whether somebody looks at packets; a struct, as Rust wants the key to be in one. */
struct knet_watch {
	struct static_key_false key;
};

extern struct knet_watch knet_watched;

void knet_watch_begin(void);
void knet_watch_end(void);

void knet_trace_classify(const struct knet_seen *seen, const struct net_device *dev, u32 len,
			 const char *rule, u8 class, u8 own);
void knet_trace_deliver(const struct knet_seen *seen, const struct net_device *dev, u8 to, u8 way);
void knet_trace_fallback(const struct knet_seen *seen, u8 stage, u8 reason);
void knet_trace_demote(const struct knet_seen *seen, u8 reason, u32 limit);
void knet_trace_drop(const struct knet_seen *seen, u8 reason);

#endif /* _KNET_TRACE_H */
