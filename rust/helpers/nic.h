/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A NIC without hardware. Only modules built with KNET_NIC have it.
 */
#ifndef _KNET_NIC_H
#define _KNET_NIC_H

#include <linux/types.h>

struct knet_nic;
struct sk_buff;

/* What the driver of a NIC does; @driver is the argument of knet_nic_create(). */
struct knet_nic_ops {
	/* Hands over up to @budget frames; how many. In the NAPI poll. */
	int (*poll)(void *driver, struct knet_nic *nic, int budget);
	/* When there is to be an interrupt, in ns; 0 is none. After a poll that left nothing. */
	u64 (*interrupt)(void *driver);
};

struct knet_nic *knet_nic_create(const char *name, const struct knet_nic_ops *ops, void *driver);
void knet_nic_destroy(struct knet_nic *nic);
bool knet_nic_interrupt_at(struct knet_nic *nic, u64 ns);
struct sk_buff *knet_nic_alloc(struct knet_nic *nic, u32 len, u8 **frame);
void knet_nic_receive(struct knet_nic *nic, struct sk_buff *skb, u8 checksums);
void knet_nic_missed(struct knet_nic *nic, u64 frames);
void knet_nic_address(const struct knet_nic *nic, u8 *address);

#endif /* _KNET_NIC_H */
