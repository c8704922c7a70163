// SPDX-License-Identifier: GPL-2.0
/*
 * A frame becomes a packet: which bytes are linear, in pages or in other packets,
 * what the hardware says of its checksum and its VLAN tag, who else owns it, and
 * by which of the networking core's calls it comes in.
 */
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/slab.h>
#include <net/checksum.h>

#include "shapes.h"

/* So many others' packets are kept: more than ever wait behind each other in a test. */
#define HELD_MAX	256
/* An odd place in the page, so that nothing is aligned. */
#define PAGE_START	33

/* What is to be delivered. */
struct order {
	struct list_head list;
	struct knet_shape shape;
	unsigned int len;
	u8 frame[];
};

void knet_shapes_init(struct knet_shapes *shapes)
{
	spin_lock_init(&shapes->lock);
	INIT_LIST_HEAD(&shapes->todo);
	skb_queue_head_init(&shapes->held);
}

/*
 * The frame behind a struct knet_shape is to be delivered in that shape. Context:
 * process.
 */
int knet_shapes_add(struct knet_shapes *shapes, const u8 *bytes, size_t len)
{
	size_t frame = len - sizeof(struct knet_shape);
	struct order *order;

	if (len < sizeof(struct knet_shape) + ETH_HLEN || frame > KNET_SHAPE_FRAME_MAX)
		return -EINVAL;
	order = kmalloc(struct_size(order, frame, frame), GFP_KERNEL);
	if (!order)
		return -ENOMEM;
	memcpy(&order->shape, bytes, sizeof(order->shape));
	memcpy(order->frame, bytes + sizeof(order->shape), frame);
	order->len = frame;
	if (order->shape.entry > KNET_ENTRY_DIRECT || order->shape.sum > KNET_SUM_PARTIAL) {
		kfree(order);
		return -EINVAL;
	}
	spin_lock_bh(&shapes->lock);
	list_add_tail(&order->list, &shapes->todo);
	spin_unlock_bh(&shapes->lock);
	return 0;
}

static struct order *take_order(struct knet_shapes *shapes)
{
	struct order *order;

	spin_lock_bh(&shapes->lock);
	order = list_first_entry_or_null(&shapes->todo, struct order, list);
	if (order)
		list_del(&order->list);
	spin_unlock_bh(&shapes->lock);
	return order;
}

/* The sum of what another owner may see, so that it is found if somebody wrote there. */
static __wsum sum_of(const struct sk_buff *skb)
{
	return skb_checksum(skb, 0, skb->len, 0);
}

static void hold(struct knet_shapes *shapes, struct sk_buff *skb)
{
	*(__wsum *)skb->cb = sum_of(skb);
	__skb_queue_tail(&shapes->held, skb);
}

static void release(struct knet_shapes *shapes, u32 left)
{
	while (skb_queue_len(&shapes->held) > left) {
		struct sk_buff *skb = __skb_dequeue(&shapes->held);

		shapes->written += csum_fold(sum_of(skb)) != csum_fold(*(__wsum *)skb->cb);
		kfree_skb(skb);
	}
}

void knet_shapes_free(struct knet_shapes *shapes)
{
	struct order *order;

	while ((order = take_order(shapes)))
		kfree(order);
	release(shapes, 0);
}

/* A packet with @len linear bytes, and with as much in front of them as drivers leave. */
static struct sk_buff *linear(struct napi_struct *napi, const struct knet_shape *shape,
			      const u8 *bytes, unsigned int len)
{
	struct sk_buff *skb;

	if (shape->flags & KNET_SHAPE_NO_HEADROOM)
		skb = alloc_skb(len, GFP_ATOMIC);
	else
		skb = napi_alloc_skb(napi, len);
	if (!skb)
		return NULL;
	skb->dev = napi->dev;
	skb_put_data(skb, bytes, len);
	return skb;
}

/* The rest of a frame, in pieces that lie in pages. */
static bool rest_in_pages(struct sk_buff *skb, const u8 *bytes, unsigned int len, unsigned int piece)
{
	unsigned int most = PAGE_SIZE - PAGE_START;

	piece = clamp(piece, DIV_ROUND_UP(len, MAX_SKB_FRAGS - 1), most);
	while (len) {
		unsigned int part = min(piece, len);
		struct page *page = alloc_page(GFP_ATOMIC);

		if (!page)
			return false;
		memcpy(page_address(page) + PAGE_START, bytes, part);
		skb_add_rx_frag(skb, skb_shinfo(skb)->nr_frags, page, PAGE_START, part, PAGE_SIZE);
		bytes += part;
		len -= part;
	}
	return true;
}

/* The same in packets of their own, as of a receive buffer that took several. */
static bool rest_in_list(struct napi_struct *napi, struct sk_buff *skb,
		     const struct knet_shape *shape, const u8 *bytes, unsigned int len)
{
	struct sk_buff **tail = &skb_shinfo(skb)->frag_list;

	while (len) {
		unsigned int part = min_t(unsigned int, max_t(u16, shape->piece, 1), len);
		struct sk_buff *other = linear(napi, shape, bytes, part);

		if (!other)
			return false;
		*tail = other;
		tail = &other->next;
		skb->len += part;
		skb->data_len += part;
		skb->truesize += other->truesize;
		bytes += part;
		len -= part;
	}
	return true;
}

static struct sk_buff *build(struct napi_struct *napi, struct order *order)
{
	const struct knet_shape *shape = &order->shape;
	unsigned int head = clamp_t(unsigned int, shape->linear, ETH_HLEN, order->len);
	unsigned int piece = shape->piece;
	struct sk_buff *skb;
	bool done;

	if (shape->entry == KNET_ENTRY_FRAGS) {
		head = 0;
		/*
		 * Drivers have the Ethernet header in one piece. napi_gro_frags() pulls one
		 * in several, and GRO then reads on in the first, which is gone.
		 */
		piece = max(piece, ETH_HLEN);
		skb = napi_get_frags(napi);
	} else {
		skb = linear(napi, shape, order->frame, head);
	}
	if (!skb)
		return NULL;
	if (shape->flags & KNET_SHAPE_LIST && shape->entry != KNET_ENTRY_FRAGS)
		done = rest_in_list(napi, skb, shape, order->frame + head, order->len - head);
	else
		done = rest_in_pages(skb, order->frame + head, order->len - head, piece);
	if (done)
		return skb;
	if (shape->entry == KNET_ENTRY_FRAGS)
		napi->skb = NULL;
	kfree_skb(skb);
	return NULL;
}

/* Takes a VLAN tag out of the frame, as the hardware does. Whether there was one. */
static bool strip_tag(struct order *order, u16 *tci)
{
	struct vlan_ethhdr *header = (struct vlan_ethhdr *)order->frame;

	if (order->len < VLAN_ETH_HLEN || header->h_vlan_proto != htons(ETH_P_8021Q))
		return false;
	*tci = ntohs(header->h_vlan_TCI);
	memmove(order->frame + 2 * ETH_ALEN, order->frame + 2 * ETH_ALEN + VLAN_HLEN,
		order->len - 2 * ETH_ALEN - VLAN_HLEN);
	order->len -= VLAN_HLEN;
	order->shape.csum_start -= VLAN_HLEN;
	return true;
}

static void set_sum(struct sk_buff *skb, const struct order *order, __wsum sum)
{
	const struct knet_shape *shape = &order->shape;

	switch (shape->sum) {
	case KNET_SUM_UNNECESSARY:
		skb->ip_summed = CHECKSUM_UNNECESSARY;
		skb->csum_level = min_t(u8, shape->level, SKB_MAX_CSUM_LEVEL);
		break;
	case KNET_SUM_WRONG:
		sum = csum_add(sum, (__force __wsum)htonl(1));
		fallthrough;
	case KNET_SUM_COMPLETE:
		skb->ip_summed = CHECKSUM_COMPLETE;
		skb->csum = sum;
		break;
	default:
		break;
	}
}

/* Behind eth_type_trans(), as virtio does it. */
static bool set_segments(struct sk_buff *skb, const struct knet_shape *shape)
{
	struct skb_shared_info *info = skb_shinfo(skb);

	if (shape->sum != KNET_SUM_PARTIAL)
		return true;
	if (shape->csum_start < ETH_HLEN ||
	    !skb_partial_csum_set(skb, shape->csum_start - ETH_HLEN, shape->csum_offset))
		return false;
	if (!shape->gso_size)
		return true;
	switch (shape->gso_type) {
	case KNET_GSO_TCPV4:
		info->gso_type = SKB_GSO_TCPV4;
		break;
	case KNET_GSO_TCPV6:
		info->gso_type = SKB_GSO_TCPV6;
		break;
	default:
		info->gso_type = SKB_GSO_UDP_L4;
	}
	info->gso_size = shape->gso_size;
	info->gso_segs = DIV_ROUND_UP(skb->len, shape->gso_size);
	return true;
}

/* What a packet is, by itself and not by what was ordered. */
static u32 seen(const struct sk_buff *skb, u8 entry, bool is_lie)
{
	bool is_frags = entry == KNET_ENTRY_FRAGS;
	unsigned int head = skb_headlen(skb);
	u32 set = BIT(KNET_SEEN_RECEIVE + entry);

	switch (skb->ip_summed) {
	case CHECKSUM_NONE:
		set |= BIT(KNET_SEEN_NONE);
		break;
	case CHECKSUM_UNNECESSARY:
		set |= BIT(skb->csum_level ? KNET_SEEN_LEVEL : KNET_SEEN_UNNECESSARY);
		break;
	case CHECKSUM_COMPLETE:
		set |= BIT(KNET_SEEN_COMPLETE);
		break;
	default:
		set |= BIT(KNET_SEEN_PARTIAL);
	}
	if (is_lie)
		set |= BIT(KNET_SEEN_LIE);
	if (skb_shinfo(skb)->nr_frags)
		set |= BIT(KNET_SEEN_PAGES);
	if (skb_has_frag_list(skb))
		set |= BIT(KNET_SEEN_LIST);
	if (skb_is_nonlinear(skb) && !is_frags && !head)
		set |= BIT(KNET_SEEN_HEADLESS);
	if (skb_is_nonlinear(skb) && head % 4)
		set |= BIT(KNET_SEEN_ODD);
	if (skb_is_gso(skb))
		set |= BIT(KNET_SEEN_GSO);
	if (skb_cloned(skb))
		set |= BIT(KNET_SEEN_CLONED);
	if (skb_shared(skb))
		set |= BIT(KNET_SEEN_SHARED);
	if (skb_vlan_tag_present(skb))
		set |= BIT(skb_vlan_tag_get_id(skb) ? KNET_SEEN_TAG : KNET_SEEN_PRIORITY_TAG);
	/* The Ethernet header has been in front since. */
	if (!is_frags && skb_headroom(skb) == ETH_HLEN)
		set |= BIT(KNET_SEEN_NO_HEADROOM);
	if (skb->len == (is_frags ? ETH_HLEN : 0))
		set |= BIT(KNET_SEEN_EMPTY);
	return set;
}

static void count(struct knet_shapes *shapes, u32 set, bool is_taken)
{
	int i;

	for (i = 0; i < KNET_SHAPES; i++) {
		if (set & BIT(i)) {
			shapes->counts[i].offered++;
			shapes->counts[i].taken += is_taken;
		}
	}
}

/*
 * GRO says which packets somebody has taken from it. A packet that an ingress hook
 * took is not received by anybody, which the kernel tells as it tells of one that
 * it drops.
 */
static bool hand_over(struct napi_struct *napi, struct sk_buff *skb, u8 entry)
{
	switch (entry) {
	case KNET_ENTRY_FRAGS:
		return napi_gro_frags(napi) == GRO_CONSUMED;
	case KNET_ENTRY_RECEIVE:
		return napi_gro_receive(napi, skb) == GRO_CONSUMED;
	default:
		return netif_receive_skb(skb) == NET_RX_DROP;
	}
}

static void deliver(struct knet_shapes *shapes, struct napi_struct *napi, struct order *order)
{
	struct knet_shape *shape = &order->shape;
	bool is_frags = shape->entry == KNET_ENTRY_FRAGS, is_lie;
	bool is_direct = shape->entry == KNET_ENTRY_DIRECT;
	struct sk_buff *skb, *clone;
	bool has_tag = false;
	u16 tci = 0;
	__wsum sum;
	u32 set;

	if (shape->flags & KNET_SHAPE_TAG)
		has_tag = strip_tag(order, &tci);
	if (!has_tag && shape->flags & KNET_SHAPE_PRIORITY_TAG) {
		has_tag = true;
		tci = 3 << VLAN_PRIO_SHIFT;
	}
	sum = csum_partial(order->frame + ETH_HLEN, order->len - ETH_HLEN, 0);
	/* What the hardware has said is then not true. */
	is_lie = shape->flags & KNET_SHAPE_SPOIL && order->len > ETH_HLEN;
	if (is_lie)
		order->frame[order->len - 1] ^= 1;

	skb = build(napi, order);
	if (!skb)
		return;
	if (has_tag)
		__vlan_hwaccel_put_tag(skb, htons(ETH_P_8021Q), tci);
	set_sum(skb, order, sum);
	if (!is_frags) {
		skb->protocol = eth_type_trans(skb, napi->dev);
		if (!set_segments(skb, shape)) {
			kfree_skb(skb);
			return;
		}
		if (is_direct && shape->flags & KNET_SHAPE_CLONED) {
			clone = skb_clone(skb, GFP_ATOMIC);
			if (clone)
				hold(shapes, clone);
		}
	}
	if (is_direct && shape->flags & KNET_SHAPE_SHARED)
		skb_get(skb);
	set = seen(skb, shape->entry, is_lie || shape->sum == KNET_SUM_WRONG);
	count(shapes, set, hand_over(napi, skb, shape->entry));
	if (set & BIT(KNET_SEEN_SHARED))
		kfree_skb(skb);
}

/* Delivers what there is; how much that was. Context: the NAPI poll. */
int knet_shapes_poll(struct knet_shapes *shapes, struct napi_struct *napi, int budget)
{
	struct order *order;
	int done = 0;

	while (done < budget && (order = take_order(shapes))) {
		deliver(shapes, napi, order);
		kfree(order);
		done++;
	}
	release(shapes, HELD_MAX);
	return done;
}
