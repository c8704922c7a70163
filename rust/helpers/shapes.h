/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Frames that the NIC without hardware delivers as packets of any shape that a
 * driver gives them. Only modules built with KNET_NIC have it.
 */
#ifndef _KNET_SHAPES_H
#define _KNET_SHAPES_H

#include <linux/list.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "nic.h"

struct knet_shapes {
	spinlock_t lock;
	struct list_head todo;
	struct sk_buff_head held;	/* clones, and packets with another owner */
	struct knet_shape_count counts[KNET_SHAPES];
	u64 written;
};

void knet_shapes_init(struct knet_shapes *shapes);
void knet_shapes_free(struct knet_shapes *shapes);
int knet_shapes_add(struct knet_shapes *shapes, const u8 *order, size_t len);
int knet_shapes_poll(struct knet_shapes *shapes, struct napi_struct *napi, int budget);

#endif /* _KNET_SHAPES_H */
