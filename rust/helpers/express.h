/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The short way of a packet: from the NIC to the container in one step, past the
 * outer IP and UDP layers, the VXLAN device's queue, the bridge and the backlog.
 */
#ifndef _KNET_EXPRESS_H
#define _KNET_EXPRESS_H

#include <linux/types.h>

struct net_device;
struct sk_buff;

/* What was in force before a packet went the kernel's way. */
struct knet_express_start {
	const struct net_device *nic;
	u32 generation;
	u32 routes;
	bool v6;		/* the outer header is of IPv6 */
};

/* Where the kernel forwarded a packet, and when that was. */
struct knet_express {
	const struct net_device *nic;
	struct net_device *vxlan;
	const struct net_device *bridge;
	struct net_device *veth;
	struct net_device *peer;
	void *egress;		/* our hook at the egress of veth */
	unsigned long expires;	/* in jiffies */
	u32 generation;
	u32 routes;
	u32 len_max;		/* of the inner frame */
	bool cross_net;		/* the VXLAN socket is in another namespace */
	bool seen;		/* by somebody who may have had it go elsewhere */
	bool confirmed;		/* the packet before was not, and went the same way */
	bool known;
};

enum knet_express_result {
	KNET_EXPRESS_CROSSED,	/* the packet is at the peer, to be received */
	KNET_EXPRESS_DROPPED,	/* the packet is gone */
	KNET_EXPRESS_LEARN,	/* the kernel has to show the way, again */
	KNET_EXPRESS_HOOK,	/* netfilter or xfrm is to see the packet */
	KNET_EXPRESS_TAP,	/* a packet socket is to see it */
	KNET_EXPRESS_TC,	/* a program or a qdisc is to see it */
	KNET_EXPRESS_PACKET,	/* the packet is unusual */
	KNET_EXPRESS_BEHIND,	/* those before it were left to the veth, and wait */
};

int knet_express_follow(void);
void knet_express_unfollow(void);
void knet_express_begin(const struct sk_buff *skb, struct knet_express_start *start);
bool knet_express_learn(const struct knet_express_start *start, const struct sk_buff *skb,
			struct net_device *veth, struct net_device *vxlan, bool cross_net,
			struct knet_express *way);
enum knet_express_result knet_express_cross(struct sk_buff *skb, const struct knet_express *way);

#endif /* _KNET_EXPRESS_H */
