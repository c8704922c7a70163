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

/* The most bytes of a frame that is to have a shape. */
#define KNET_SHAPE_FRAME_MAX	4000

enum knet_shape_entry {
	KNET_ENTRY_RECEIVE,	/* napi_gro_receive() */
	KNET_ENTRY_FRAGS,	/* napi_gro_frags() */
	KNET_ENTRY_DIRECT,	/* netif_receive_skb() */
};

enum knet_shape_sum {
	KNET_SUM_NONE,
	KNET_SUM_UNNECESSARY,
	KNET_SUM_COMPLETE,
	KNET_SUM_WRONG,		/* complete, and not that of the frame */
	KNET_SUM_PARTIAL,
};

enum knet_shape_gso {
	KNET_GSO_TCPV4 = 1,
	KNET_GSO_TCPV6 = 4,
	KNET_GSO_UDP = 5,
};

/* Both only with netif_receive_skb(): GRO writes to what others then look at. */
#define KNET_SHAPE_CLONED	1
#define KNET_SHAPE_SHARED	2
#define KNET_SHAPE_NO_HEADROOM	4
#define KNET_SHAPE_LIST		8	/* frag_list, in place of pages */
#define KNET_SHAPE_TAG		16	/* the VLAN tag of the frame is beside it */
#define KNET_SHAPE_PRIORITY_TAG	32	/* without one: a tag of VLAN 0 is */
#define KNET_SHAPE_SPOIL	64	/* the last byte changes behind the checksum */
#define KNET_SHAPE_MORE		128	/* comes in one poll with the next */

/* How a frame is to come in. selftests/wire/src/fuzz/shape.rs writes it. */
struct knet_shape {
	u8 entry;
	u8 sum;
	u8 level;		/* of the checksums verified, less one */
	u8 flags;
	u16 linear;		/* bytes in front of those in pages or packets */
	u16 piece;		/* bytes of each of these */
	u16 csum_start;		/* for KNET_SUM_PARTIAL, from the Ethernet header on */
	u16 csum_offset;
	u16 gso_size;
	u8 gso_type;
	u8 unused;
};

/* What packets are counted by; one counts for all that it is. */
enum {
	KNET_SEEN_RECEIVE,
	KNET_SEEN_FRAGS,
	KNET_SEEN_DIRECT,
	KNET_SEEN_NONE,
	KNET_SEEN_UNNECESSARY,
	KNET_SEEN_LEVEL,	/* more than one checksum */
	KNET_SEEN_COMPLETE,
	KNET_SEEN_PARTIAL,
	KNET_SEEN_LIE,		/* what is said of the checksum is not true */
	KNET_SEEN_PAGES,
	KNET_SEEN_LIST,
	KNET_SEEN_HEADLESS,	/* nothing behind the Ethernet header is linear */
	KNET_SEEN_ODD,		/* the linear part ends at no word's */
	KNET_SEEN_GSO,
	KNET_SEEN_CLONED,
	KNET_SEEN_SHARED,
	KNET_SEEN_TAG,
	KNET_SEEN_PRIORITY_TAG,
	KNET_SEEN_NO_HEADROOM,
	KNET_SEEN_EMPTY,	/* nothing behind the Ethernet header */
	KNET_SHAPES
};

struct knet_shape_count {
	u64 offered;
	u64 taken;
};

int knet_nic_shape(struct knet_nic *nic, const u8 *order, size_t len);
struct knet_shape_count knet_nic_shape_count(const struct knet_nic *nic, u32 shape);
u64 knet_nic_written(const struct knet_nic *nic);

struct knet_nic *knet_nic_create(const char *name, const struct knet_nic_ops *ops, void *driver);
void knet_nic_destroy(struct knet_nic *nic);
bool knet_nic_interrupt_at(struct knet_nic *nic, u64 ns);
struct sk_buff *knet_nic_alloc(struct knet_nic *nic, u32 len, u8 **frame);
void knet_nic_receive(struct knet_nic *nic, struct sk_buff *skb, u8 checksums);
void knet_nic_missed(struct knet_nic *nic, u64 frames);
void knet_nic_address(const struct knet_nic *nic, u8 *address);

#endif /* _KNET_NIC_H */
