// SPDX-License-Identifier: GPL-2.0
/*
 * Inline functions and macros of the networking core, as functions.
 *
 * Contexts are those of the callers in rust/: the packet functions run with BH
 * off inside an RCU read-side section, the device functions under RTNL or RCU
 * as said there.
 */
#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/if_vlan.h>
#include <linux/inetdevice.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/percpu.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <net/dsa.h>
#include <net/gro.h>
#include <net/pkt_sched.h>
#include <net/rps.h>
#include <net/sock.h>
#include <net/vxlan.h>

#include "cross.h"
#include "knet.h"
#include "napi.h"
#include "stamp.h"
#include "xdp.h"

MODULE_VERSION("0.1.0");

/* The frame is for this very device: what eth_type_trans() would find. */
static bool addressed_to_dev(const struct sk_buff *skb)
{
	const struct net_device *dev = skb->dev;

	return skb->pkt_type == PACKET_HOST && dev->type == ARPHRD_ETHER &&
	       skb_mac_header_was_set(skb) &&
	       skb->data - skb_mac_header(skb) == ETH_HLEN &&
	       ether_addr_equal(eth_hdr(skb)->h_dest, dev->dev_addr);
}

/*
 * Whether somebody takes packets from @dev who may lead them out of its namespace
 * as they are: macvlan, ipvlan and Open vSwitch do. Bridges, bonds and teams do
 * not, but those may be on them.
 */
bool knet_is_shared(const struct net_device *dev)
{
	while (dev && rcu_access_pointer(dev->rx_handler)) {
		if (!netif_is_bridge_port(dev) && !netif_is_lag_port(dev))
			return true;
		dev = netdev_master_upper_dev_get_rcu((struct net_device *)dev);
	}
	return false;
}

/*
 * Describes the frame that GRO hands to the handler of @type, unless GRO is
 * already inside a tunnel: the first stage is where the network header comes
 * first, or second after one VLAN tag that the driver left in the frame.
 */
bool knet_gro_frame(struct sk_buff *skb, u16 type, struct knet_frame *frame)
{
	unsigned int offset = skb_gro_offset(skb);
	bool first = offset == 0 && skb->protocol == htons(type);
	/*
	 * A kernel without XFRM_OFFLOAD writes to the packet after a handler
	 * inside the VLAN's has taken it: skb_gro_flush_final().
	 */
	bool tagged = IS_ENABLED(CONFIG_XFRM_OFFLOAD) && offset == VLAN_HLEN &&
		      skb->protocol == htons(ETH_P_8021Q);

	if ((!first && !tagged) || NAPI_GRO_CB(skb)->encap_mark ||
	    !addressed_to_dev(skb) || netdev_uses_dsa(skb->dev))
		return false;

	frame->dev = skb->dev;
	frame->offset = offset;
	frame->len = skb->len - offset;
	frame->gso = skb_is_gso(skb) || skb_has_frag_list(skb);
	frame->shared = knet_is_shared(skb->dev);
	if (skb_headlen(skb) > offset) {
		frame->head = skb->data + offset;
		frame->head_len = skb_headlen(skb) - offset;
	} else if (NAPI_GRO_CB(skb)->frag0_len > offset) {
		frame->head = (const u8 *)NAPI_GRO_CB(skb)->frag0 + offset;
		frame->head_len = NAPI_GRO_CB(skb)->frag0_len - offset;
	} else {
		frame->head = NULL;
		frame->head_len = 0;
	}
	return true;
}

/*
 * The same at the netfilter ingress hook, where taps, tc and XDP have seen the
 * frame. Frames that would meet a generic XDP program, RPS or a PHY that stamps
 * them a second time are not described, nor are those on a device above another,
 * which packet sockets on the lower one are still to see, nor any where these
 * cannot be skipped. A socket that a program has chosen need not be there longer
 * than this RCU section, so that such a frame may not wait.
 */
bool knet_ingress_frame(struct sk_buff *skb, struct knet_frame *frame)
{
	const struct net_device *dev = skb->dev;

	if (!IS_ENABLED(CONFIG_NET_CLS_ACT) || !addressed_to_dev(skb) ||
	    rcu_access_pointer(dev->xdp_prog) || knet_phy_stamps(dev) || skb_shared(skb) ||
	    skb_sk_is_prefetched(skb) || knet_dev_kind(dev) == KNET_DEV_UPPER)
		return false;
#ifdef CONFIG_RPS
	if (static_branch_unlikely(&rps_needed))
		return false;
#endif
	knet_waiting_frame(skb, 0, frame);
	return true;
}

/*
 * A packet that was described before, with its network header at @offset, was
 * taken and has waited.
 */
void knet_waiting_frame(const struct sk_buff *skb, u32 offset, struct knet_frame *frame)
{
	frame->dev = skb->dev;
	frame->offset = offset;
	frame->len = skb->len - offset;
	frame->gso = skb_is_gso(skb) || skb_has_frag_list(skb);
	frame->shared = knet_is_shared(skb->dev);
	frame->head = skb->data + offset;
	frame->head_len = skb_headlen(skb) > offset ? skb_headlen(skb) - offset : 0;
}

/*
 * Makes the receive path go on after its ingress hooks, which have run, and does
 * what it would do between the two.
 */
void knet_skip_ingress(struct sk_buff *skb)
{
	skb_reset_redirect(skb);
#ifdef CONFIG_NET_CLS_ACT
	skb->tc_skip_classify = 1;
#endif
}

/*
 * Makes the headers linear, as GRO does before it lets a packet go, for tc
 * programs that look only there. Not before the packet is taken from GRO, which
 * may hold on to its first fragment.
 */
void knet_pull_headers(struct sk_buff *skb)
{
	unsigned int len = min_t(unsigned int, skb->len, KNET_HEAD_MAX);

	/* What cannot be pulled is pulled, or dropped, by who needs it. */
	if (unlikely(skb_headlen(skb) < len && skb_headlen(skb) < KNET_HEAD_MIN))
		pskb_may_pull(skb, len);
}

u16 knet_skb_protocol(const struct sk_buff *skb)
{
	return ntohs(skb->protocol);
}

const struct net_device *knet_skb_dev(const struct sk_buff *skb)
{
	return skb->dev;
}

int knet_skb_copy_bits(const struct sk_buff *skb, u32 offset, u8 *to, u32 len)
{
	return skb_copy_bits(skb, offset, to, len);
}

/*
 * For the egress hook. A packet socket may send with BH on, and then nothing is
 * in flight here; what was made here and not received never is.
 */
bool knet_may_be_in_flight(const struct sk_buff *skb)
{
	return softirq_count() && skb->skb_iif;
}

/* An empty one, or NULL. Context: process. */
struct sk_buff *knet_skb_new(void)
{
	return alloc_skb(0, GFP_KERNEL);
}

void __percpu *knet_alloc_percpu(size_t size, size_t align)
{
	return __alloc_percpu(size, align);
}

void *knet_this_cpu_ptr(void __percpu *ptr)
{
	return raw_cpu_ptr(ptr);
}

void *knet_per_cpu_ptr(void __percpu *ptr, unsigned int cpu)
{
	return per_cpu_ptr(ptr, cpu);
}

unsigned int knet_next_cpu(int cpu)
{
	return cpumask_next(cpu, cpu_possible_mask);
}

unsigned int knet_nr_cpu_ids(void)
{
	return nr_cpu_ids;
}

u64 knet_ktime_ns(void)
{
	return ktime_get_mono_fast_ns();
}

u32 knet_usecs_to_jiffies(u32 us)
{
	return usecs_to_jiffies(us);
}

u64 knet_random_u64(void)
{
	return get_random_u64();
}

void knet_local_bh_disable(void)
{
	local_bh_disable();
}

void knet_local_bh_enable(void)
{
	local_bh_enable();
}

/* Who lists hooks reads them under RCU, hence only later. */
void knet_free_hook(struct nf_hook_ops *ops)
{
	kfree_rcu(ops, rcu);
}

enum knet_dev_kind knet_dev_kind(const struct net_device *dev)
{
	const char *kind = dev->rtnl_link_ops ? dev->rtnl_link_ops->kind : NULL;

	if (dev->flags & IFF_LOOPBACK)
		return KNET_DEV_LOOPBACK;
	if (netif_is_bridge_master(dev))
		return KNET_DEV_BRIDGE;
	if (!kind)
		return dev->type == ARPHRD_ETHER ? KNET_DEV_NIC :
						   KNET_DEV_UPPER;
	if (!strcmp(kind, "vxlan"))
		return KNET_DEV_VXLAN;
	if (!strcmp(kind, "veth"))
		return KNET_DEV_VETH;
	if (!strcmp(kind, "netkit"))
		return KNET_DEV_NETKIT;
	if (!strcmp(kind, "tun"))
		return KNET_DEV_TUN;
	return KNET_DEV_UPPER;
}

const char *knet_dev_name(const struct net_device *dev)
{
	return netdev_name(dev);
}

struct net *knet_dev_net(const struct net_device *dev)
{
	return dev_net(dev);
}

bool knet_dev_in_init_net(const struct net_device *dev)
{
	return net_eq(dev_net(dev), &init_net);
}

/* Whether GRO merges datagrams that no socket asked for. */
bool knet_dev_merges_udp(const struct net_device *dev)
{
	return dev->features & (NETIF_F_GRO_FRAGLIST | NETIF_F_GRO_UDP_FWD);
}

struct net_device *knet_notifier_dev(void *ptr)
{
	return netdev_notifier_info_to_dev(ptr);
}

void knet_rtnl_lock(void)
{
	rtnl_lock();
}

void knet_rtnl_unlock(void)
{
	rtnl_unlock();
}

void knet_for_each_netdev(void (*fn)(struct net_device *dev, void *data),
			  void *data)
{
	struct net_device *dev;
	struct net *net;

	down_read(&net_rwsem);
	for_each_net(net)
		for_each_netdev(net, dev)
			fn(dev, data);
	up_read(&net_rwsem);
}

bool knet_init_net_has_dev(const char *name)
{
	struct net_device *dev = dev_get_by_name(&init_net, name);
	/* An alternative name is not the one that devices are chosen by. */
	bool found = dev && !strcmp(dev->name, name);

	dev_put(dev);
	return found;
}

/* dev_nit_active_rcu(), as one sees it. */
static bool has_tap(const struct net_device *dev)
{
	return !list_empty(&dev_net(dev)->ptype_all) ||
	       !list_empty(&dev->ptype_all);
}

/*
 * Moves @skb across the pair as veth's transmit function does, up to where that
 * one would queue it. Returns false when the packet was dropped on the way.
 */
static bool move_across(struct sk_buff *skb, struct net_device *dev,
			struct net_device *peer)
{
	unsigned int len = skb->len;

	skb_reset_mac_header(skb);
	skb_set_queue_mapping(skb, 0);
	knet_forget_napi(skb);
	if (dev->priv_flags & IFF_XMIT_DST_RELEASE)
		skb_dst_drop(skb);
	if (__dev_forward_skb(peer, skb))
		return false;
	dev_sw_netstats_tx_add(dev, 1, len);
	return true;
}

/*
 * How far this CPU's backlog has to be served for all to be received that was left
 * to the driver of a pair. What comes behind is left as well until then, or it would
 * pass by where whoever was to see those before has gone. Pairs that have left
 * something in the same place wait for each other.
 */
struct left {
	u32 tail;
	int ifindex;	/* of the pair's end; zero for several */
	enum { LEFT_NOTHING, LEFT_SOME, LEFT_UP_TO_TAIL } state;
};

#define LEFT_PLACES	64
static DEFINE_PER_CPU(struct left [LEFT_PLACES], left_to_drivers);
static DEFINE_PER_CPU(struct left *, left_last);

static struct left *left_on(const struct net_device *dev)
{
	return this_cpu_ptr(left_to_drivers) + dev->ifindex % LEFT_PLACES;
}

/* All that was left there has been queued. */
static void settle(struct left *left)
{
	left->tail = knet_backlog_tail();
	left->state = LEFT_UP_TO_TAIL;
}

static bool is_waiting(struct left *left)
{
	if (likely(left->state == LEFT_NOTHING))
		return false;
	if (left->state == LEFT_SOME)
		settle(left);
	if (!knet_backlog_has_reached(left->tail))
		return true;
	left->state = LEFT_NOTHING;
	return false;
}

/* Whether packets that were left to the driver of @dev wait on this CPU. */
bool knet_is_behind(const struct net_device *dev)
{
	struct left *left = left_on(dev);

	return is_waiting(left) && (!left->ifindex || left->ifindex == dev->ifindex);
}

/* Notes that a packet is left to the driver of @dev, which will queue it, or has. */
void knet_left(const struct net_device *dev)
{
	struct left *left = left_on(dev);

	left->ifindex = is_waiting(left) && left->ifindex != dev->ifindex ? 0 : dev->ifindex;
	left->state = LEFT_SOME;
	this_cpu_write(left_last, left);
}

/* The same packet has been queued: what is queued behind it is none of its pair's. */
void knet_left_is_queued(void)
{
	struct left *left = this_cpu_read(left_last);

	if (left && left->state == LEFT_SOME)
		settle(left);
}

/*
 * Whether __dev_queue_xmit() would do nothing to @skb but hand it to the driver of
 * @dev, and the driver nothing but hand it to the peer: KNET_CROSSED, or KNET_DRIVER
 * where that has programs to run.
 */
static enum knet_delivery may_cross(struct sk_buff *skb, struct net_device *dev,
				    struct net_device **to)
{
	const struct netdev_queue *txq = netdev_get_tx_queue(dev, 0);
	const struct Qdisc *qdisc = rcu_dereference_bh(txq->qdisc);
	struct net_device *peer;

	if (!(dev->flags & IFF_UP) || !dev->netdev_ops->ndo_get_peer_dev)
		return KNET_LEAVE_NO_PEER;
	peer = dev->netdev_ops->ndo_get_peer_dev(dev);
	if (!peer || !(peer->flags & IFF_UP))
		return KNET_LEAVE_NO_PEER;
	if (knet_has_xdp(peer))
		return KNET_LEAVE_XDP;
	if (!qdisc || qdisc->enqueue)
		return KNET_LEAVE_QDISC;
#ifdef CONFIG_NET_XGRESS
	if (rcu_access_pointer(dev->tcx_egress))
		return KNET_LEAVE_TC;
#endif
	if (has_tap(dev))
		return KNET_LEAVE_TAP;
	if (skb_is_gso(skb)) {
		if (netif_needs_gso(skb, netif_skb_features(skb)))
			return KNET_LEAVE_GSO;
	} else if (skb->len > peer->mtu + peer->hard_header_len + VLAN_HLEN) {
		return KNET_LEAVE_MTU;
	}
	if (dev->real_num_tx_queues != 1 || netif_xmit_stopped(txq) ||
	    skb_shared(skb) || skb->sk || skb_shinfo(skb)->tx_flags ||
	    !pskb_may_pull(skb, ETH_HLEN) || !knet_takes_all(dev) ||
	    (!skb_frags_readable(skb) && dev->netmem_tx != NETMEM_TX_NO_DMA) ||
	    (skb_vlan_tag_present(skb) &&
	     !vlan_hw_offload_capable(dev->features, skb->vlan_proto)))
		return KNET_LEAVE_OTHER;
	if (knet_is_behind(dev))
		return KNET_LEAVE_BEHIND;
	*to = peer;
	/* Of the two kinds of devices with a peer, netkit has programs to run. */
	if (!dev->rtnl_link_ops || dev->rtnl_link_ops->kind[0] != 'v')
		return KNET_DRIVER;
	return KNET_CROSSED;
}

/*
 * Moves @skb from @dev to its peer, if that is all that would become of it.
 * Called from the netfilter egress hook: skb->data is at the MAC header.
 */
enum knet_delivery knet_veth_cross(struct sk_buff *skb, struct net_device *dev)
{
	struct net_device *peer;
	enum knet_delivery delivery = may_cross(skb, dev, &peer);

	if (delivery == KNET_CROSSED)
		return move_across(skb, dev, peer) ? KNET_CROSSED : KNET_DROPPED;
	/* Without a peer it is dropped. */
	if (delivery != KNET_DRIVER && delivery != KNET_LEAVE_NO_PEER)
		knet_left(dev);
	return delivery;
}

/*
 * Lets the driver of @dev send @skb: whatever programs and policies a netkit
 * pair has decide what becomes of it.
 */
void knet_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct netdev_queue *txq = netdev_get_tx_queue(dev, 0);

	skb_reset_mac_header(skb);
	skb_set_queue_mapping(skb, 0);
	knet_forget_napi(skb);
	if (dev->priv_flags & IFF_XMIT_DST_RELEASE)
		skb_dst_drop(skb);
	else
		skb_dst_force(skb);
	netdev_start_xmit(skb, dev, txq, false);
}

/* How many packets behind one that was queued are looked at. */
#define BACKLOG_LOOKS	64

/*
 * Takes @skb back from this CPU's backlog if it is what was queued there last, but
 * for what interrupts and other CPUs may have queued since. @skb is compared and not
 * followed before it is found on the queue, so it may be gone. The backlog's NAPI
 * stays scheduled and finds one packet less.
 */
bool knet_backlog_take(struct sk_buff *skb)
{
	struct softnet_data *sd = this_cpu_ptr(&softnet_data);
	unsigned int left = BACKLOG_LOOKS;
	const struct sk_buff *queued;
	unsigned long flags;
	bool found = false;

	spin_lock_irqsave(&sd->input_pkt_queue.lock, flags);
	skb_queue_reverse_walk(&sd->input_pkt_queue, queued) {
		found = queued == skb;
		if (found || !--left)
			break;
	}
	if (found) {
		__skb_unlink(skb, &sd->input_pkt_queue);
		/* The other count is of who polls, who may have been preempted. */
#ifdef CONFIG_RPS
		sd->input_queue_tail--;
#endif
	}
	spin_unlock_irqrestore(&sd->input_pkt_queue.lock, flags);
	return found;
}
