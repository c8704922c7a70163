/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KNET_CROSS_H
#define _KNET_CROSS_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/smp.h>
#include <net/busy_poll.h>

/*
 * Whether validate_xmit_skb() lets packets be sent on @dev as they are, in how many
 * pieces ever and with whatever state of their checksum. Where it changes some, these
 * wait in the backlog, and the others of a flow must not pass them by.
 */
static inline bool knet_takes_all(const struct net_device *dev)
{
	const netdev_features_t all = NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HW_CSUM;

	return (dev->features & all) == all;
}

/*
 * What netdev_core_pick_tx() does to each packet that is sent, which a packet that
 * crosses a pair here does not pass: without it, a container's socket would hold the
 * number of the NIC's NAPI instance, and could poll the NIC.
 */
static inline void knet_forget_napi(struct sk_buff *skb)
{
#ifdef CONFIG_XPS
	if (!skb->sender_cpu || napi_id_valid(skb->sender_cpu))
		skb->sender_cpu = raw_smp_processor_id() + 1;
#endif
}

#endif /* _KNET_CROSS_H */
