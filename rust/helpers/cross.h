/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KNET_CROSS_H
#define _KNET_CROSS_H

#include <linux/skbuff.h>
#include <linux/smp.h>
#include <net/busy_poll.h>

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
