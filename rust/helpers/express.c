// SPDX-License-Identifier: GPL-2.0
/*
 * The short way of a packet, as far as the kernel itself has shown it.
 *
 * A way is good for a second after the kernel forwarded a packet with the same
 * headers on it. What tells of its changes (devices, bridge ports, FDBs) starts a
 * new generation, which ends all ways; what tells nobody is looked at for each
 * packet. All packet functions run with BH off inside an RCU read-side section,
 * so a device whose unregistration has not begun a new generation yet stays.
 */
#include <linux/etherdevice.h>
#include <linux/if_bridge.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>
#include <linux/skbuff.h>
#include <linux/udp.h>
#include <net/checksum.h>
#include <net/ip6_checksum.h>
#include <net/inet_ecn.h>
#include <net/ip.h>
#include <net/net_namespace.h>
#include <net/pkt_sched.h>
#include <net/rps.h>
#include <net/switchdev.h>
#include <net/vxlan.h>

#include "cross.h"
#include "express.h"
#include "knet.h"
#include "xdp.h"

/* Read for each packet, and written when something changes. */
static atomic_t generation __cacheline_aligned = ATOMIC_INIT(0);

/*
 * The bridge's own word on VLAN filtering. It is looked up when there is a
 * bridge, so that this module does not need that one.
 */
static bool (*vlan_filtering)(const struct net_device *bridge);

#if IS_ENABLED(CONFIG_BRIDGE) && IS_ENABLED(CONFIG_BRIDGE_VLAN_FILTERING)
static void meet_bridge(void)
{
	if (!vlan_filtering)
		WRITE_ONCE(vlan_filtering, symbol_get(br_vlan_enabled));
}

static void forget_bridge(void)
{
	if (vlan_filtering)
		symbol_put(br_vlan_enabled);
	vlan_filtering = NULL;
}
#else
static bool never(const struct net_device *bridge)
{
	return false;
}

static void meet_bridge(void)
{
	WRITE_ONCE(vlan_filtering, never);
}

static void forget_bridge(void) { }
#endif

static int any_event(struct notifier_block *nb, unsigned long event, void *info)
{
	atomic_inc(&generation);
	return NOTIFY_DONE;
}

static int device_event(struct notifier_block *nb, unsigned long event, void *info)
{
	if (event == NETDEV_REGISTER && netif_is_bridge_master(netdev_notifier_info_to_dev(info)))
		meet_bridge();
	return any_event(nb, event, info);
}

static struct notifier_block devices = {
	.notifier_call = device_event,
	/* After those that do what was announced, such as the bridge. */
	.priority = INT_MIN,
};

static struct notifier_block fdbs = {
	.notifier_call = any_event,
};

static struct notifier_block ports = {
	.notifier_call = any_event,
};

/*
 * Follows whatever may change a way: devices, the FDBs of VXLAN devices and
 * bridges, and the ports of bridges. Without CONFIG_NET_SWITCHDEV nothing tells
 * of the latter, and nothing is learnt.
 */
int knet_express_follow(void)
{
	int err;

	atomic_inc(&generation);
	err = register_netdevice_notifier(&devices);
	if (err || !IS_ENABLED(CONFIG_NET_SWITCHDEV))
		return err;
	err = register_switchdev_notifier(&fdbs);
	if (err)
		goto no_fdbs;
	err = register_switchdev_blocking_notifier(&ports);
	if (err)
		goto no_ports;
	return 0;

no_ports:
	unregister_switchdev_notifier(&fdbs);
no_fdbs:
	unregister_netdevice_notifier(&devices);
	forget_bridge();
	return err;
}

/* No packet function runs any more. */
void knet_express_unfollow(void)
{
	if (IS_ENABLED(CONFIG_NET_SWITCHDEV)) {
		unregister_switchdev_blocking_notifier(&ports);
		unregister_switchdev_notifier(&fdbs);
	}
	unregister_netdevice_notifier(&devices);
	forget_bridge();
}

/* Changes with addresses and routes of the underlay. */
static u32 routes_of(const struct net *net, bool v6)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (v6)
		return rt_genid_ipv6(net);
#endif
	return rt_genid_ipv4(net);
}

/* Notes what is in force, before the kernel looks at anything. */
void knet_express_begin(const struct sk_buff *skb, struct knet_express_start *start)
{
	start->nic = skb->dev;
	/* What was announced by then is seen in what follows. */
	start->generation = atomic_read_acquire(&generation);
	start->v6 = skb->protocol == htons(ETH_P_IPV6);
	start->routes = routes_of(dev_net_rcu(skb->dev), start->v6);
}

static bool is_usable(const struct net_device *dev)
{
	return dev && dev->flags & IFF_UP && READ_ONCE(dev->reg_state) == NETREG_REGISTERED;
}

/* Multicast listeners and neighbours are talked of to the bridge itself. */
static bool is_icmpv6(const struct sk_buff *skb)
{
	struct ipv6hdr buffer;
	const struct ipv6hdr *ip;

	if (skb->protocol != htons(ETH_P_IPV6))
		return false;
	ip = skb_header_pointer(skb, ETH_HLEN, sizeof(buffer), &buffer);
	return !ip || ip->nexthdr == IPPROTO_ICMPV6;
}

static bool is_current(const struct sk_buff *skb, const struct knet_express *way)
{
	return way->known && way->generation == (u32)atomic_read_acquire(&generation) &&
	       time_before(jiffies, way->expires) && way->nic == skb->dev;
}

/* Whether netfilter, xfrm or who chooses sockets would see the packet anywhere on the way. */
static bool has_hooks(const struct net *net, const struct knet_express *way, bool v6)
{
	struct nf_hook_entries __rcu *const *ip = v6 ? net->nf.hooks_ipv6 : net->nf.hooks_ipv4;
	struct nf_hook_entries __rcu *const *bridge = dev_net_rcu(way->bridge)->nf.hooks_bridge;
	const struct nf_hook_entries *egress = rcu_dereference(way->veth->nf_hooks_egress);
	unsigned long any;

	any = (unsigned long)rcu_access_pointer(ip[NF_INET_PRE_ROUTING]) |
	      (unsigned long)rcu_access_pointer(ip[NF_INET_LOCAL_IN]) |
	      (unsigned long)rcu_access_pointer(bridge[NF_BR_PRE_ROUTING]) |
	      (unsigned long)rcu_access_pointer(bridge[NF_BR_FORWARD]) |
	      (unsigned long)rcu_access_pointer(bridge[NF_BR_POST_ROUTING]) |
	      (unsigned long)rcu_access_pointer(way->nic->nf_hooks_ingress) |
	      (unsigned long)rcu_access_pointer(way->vxlan->nf_hooks_ingress);
#ifdef CONFIG_BPF_SYSCALL
	any |= (unsigned long)rcu_access_pointer(net->bpf.run_array[NETNS_BPF_SK_LOOKUP]);
#endif
#ifdef CONFIG_XFRM
	any |= net->xfrm.policy_count[XFRM_POLICY_IN] |
	       (net->xfrm.policy_default[XFRM_POLICY_IN] ^ XFRM_USERPOLICY_ACCEPT);
#endif
	return any || !egress || egress->num_hook_entries != 1 ||
	       egress->hooks[0].hook != way->egress;
}

/* Whether a packet socket would see it. A promiscuous bridge has one above it. */
static bool has_taps(const struct net *net, const struct knet_express *way)
{
	const struct net *overlay = dev_net_rcu(way->veth);

	return !list_empty(&net->ptype_all) || !list_empty(&net->ptype_specific) ||
	       !list_empty(&way->nic->ptype_all) || !list_empty(&way->nic->ptype_specific) ||
	       !list_empty(&way->vxlan->ptype_all) || !list_empty(&way->veth->ptype_all) ||
	       (overlay != net && !list_empty(&overlay->ptype_all)) ||
	       way->bridge->flags & IFF_PROMISC;
}

/* Whether tc, a qdisc or XDP would see it, or somebody above the NIC. */
static bool has_programs(const struct knet_express *way)
{
	const struct netdev_queue *txq = netdev_get_tx_queue(way->veth, 0);
	const struct Qdisc *qdisc = rcu_dereference_bh(txq->qdisc);
	unsigned long any = knet_has_xdp(way->peer);

	any |= (unsigned long)rcu_access_pointer(way->nic->xdp_prog) |
	       (unsigned long)rcu_access_pointer(way->vxlan->xdp_prog) |
	       (unsigned long)rcu_access_pointer(way->nic->rx_handler);
#ifdef CONFIG_NET_XGRESS
	any |= (unsigned long)rcu_access_pointer(way->nic->tcx_ingress) |
	       (unsigned long)rcu_access_pointer(way->vxlan->tcx_ingress) |
	       (unsigned long)rcu_access_pointer(way->veth->tcx_egress);
#endif
#ifdef CONFIG_RPS
	if (static_branch_unlikely(&rps_needed))
		return true;
#endif
	return any || !qdisc || qdisc->enqueue || way->veth->real_num_tx_queues != 1 ||
	       netif_xmit_stopped(txq);
}

/*
 * Learns the way of @skb, which came to @vxlan and is now at the egress hook of
 * @veth. Returns whether it is one that the short way can take: from the one to
 * the other across one bridge and nothing else.
 */
bool knet_express_learn(const struct knet_express_start *start, const struct sk_buff *skb,
			struct net_device *veth, struct net_device *vxlan, bool cross_net,
			struct knet_express *way)
{
	bool (*filters)(const struct net_device *bridge) = READ_ONCE(vlan_filtering);
	const struct net_device *bridge = netdev_master_upper_dev_get_rcu(veth);
	const struct nf_hook_entries *hooks;
	struct net_device *peer;

	if (!IS_ENABLED(CONFIG_NET_SWITCHDEV) || !filters || !bridge ||
	    !netif_is_bridge_master(bridge) || netdev_master_upper_dev_get_rcu(vxlan) != bridge)
		return false;
	/* Neither routed nor received again on the way, nor flooded: clones wait elsewhere. */
	if (skb_dst(skb) || skb_cloned(skb) || skb->skb_iif != vxlan->ifindex || skb_vlan_tag_present(skb))
		return false;
	if (!veth->rtnl_link_ops || strcmp(veth->rtnl_link_ops->kind, "veth") || !knet_takes_all(veth))
		return false;
	peer = veth->netdev_ops->ndo_get_peer_dev(veth);
	if (!is_usable(start->nic) || !is_usable(vxlan) || !is_usable(bridge) ||
	    !is_usable(veth) || !is_usable(peer) || filters(bridge) || is_icmpv6(skb))
		return false;
	hooks = rcu_dereference(veth->nf_hooks_egress);
	if (!hooks || !hooks->num_hook_entries)
		return false;

	way->nic = start->nic;
	way->vxlan = vxlan;
	way->bridge = bridge;
	way->veth = veth;
	way->peer = peer;
	/* Ours, in which this is called, is the last. */
	way->egress = hooks->hooks[hooks->num_hook_entries - 1].hook;
	way->generation = start->generation;
	way->routes = start->routes;
	way->expires = jiffies + HZ;
	way->len_max = min(READ_ONCE(veth->mtu), READ_ONCE(peer->mtu)) + ETH_HLEN + VLAN_HLEN;
	way->cross_net = cross_net;
	way->seen = has_hooks(dev_net_rcu(start->nic), way, start->v6) || has_programs(way);
	way->confirmed = false;
	way->known = true;
	return true;
}

/* Whether UDP's checksum is right, of a datagram behind an IP header. */
static bool is_sum_right(const struct sk_buff *skb, unsigned int header, bool v6)
{
	unsigned int len = skb->len - header;
	const struct ipv6hdr *ip6;
	const struct iphdr *ip4;
	__wsum sum;

	if (skb->ip_summed == CHECKSUM_COMPLETE)
		sum = csum_sub(skb->csum, csum_partial(skb->data, header, 0));
	else
		sum = skb_checksum(skb, header, len, 0);
	if (!v6) {
		ip4 = (const struct iphdr *)skb->data;
		return !csum_tcpudp_magic(ip4->saddr, ip4->daddr, len, IPPROTO_UDP, sum);
	}
	ip6 = (const struct ipv6hdr *)skb->data;
	return !csum_ipv6_magic(&ip6->saddr, &ip6->daddr, len, IPPROTO_UDP, sum);
}

/* Whether the kernel would take the outer checksum of UDP. */
static bool is_checked(const struct sk_buff *skb, unsigned int header, bool v6)
{
	const struct udphdr *uh = (const struct udphdr *)(skb->data + header);

	/* With IPv6 it depends on the socket whether there may be none. */
	if (!uh->check && v6)
		return false;
	switch (skb->ip_summed) {
	case CHECKSUM_UNNECESSARY:
		return true;
	case CHECKSUM_PARTIAL:
		return skb_checksum_start_offset(skb) >= (int)header;
	default:
		return !uh->check || is_sum_right(skb, header, v6);
	}
}

/* Whether the packet is such that the layers that are passed by would but pass it on. */
static bool is_plain(const struct sk_buff *skb, const struct knet_express *way, bool v6,
		     unsigned int header)
{
	unsigned int len;

	if (skb_headlen(skb) < header + VXLAN_HLEN + ETH_HLEN)
		return false;
	if (v6)
		len = ntohs(((const struct ipv6hdr *)skb->data)->payload_len) + header;
	else
		len = ntohs(((const struct iphdr *)skb->data)->tot_len);
	if (skb->len != len || len - header - VXLAN_HLEN > way->len_max)
		return false;
	if (!v6 && ip_fast_csum(skb->data, 5))
		return false;
	if (skb_shared(skb) || skb_is_gso(skb) || skb_has_frag_list(skb) ||
	    skb_vlan_tag_present(skb) || skb->sk || skb->_skb_refdst || skb->pfmemalloc ||
	    skb_shinfo(skb)->tx_flags || !skb_frags_readable(skb))
		return false;
#ifdef CONFIG_SKB_EXTENSIONS
	if (skb->active_extensions)
		return false;
#endif
	return is_checked(skb, header, v6);
}

/* The checksum state behind UDP's check of the outer one, the tunnel and the bridge. */
static void pass_checksum(struct sk_buff *skb)
{
	__skb_decr_checksum_unnecessary(skb);
	if (skb->ip_summed == CHECKSUM_PARTIAL && skb_checksum_start_offset(skb) < 0)
		skb->ip_summed = CHECKSUM_NONE;
	skb_forward_csum(skb);
}

/*
 * Takes @skb, whose data starts at the outer IP header and whose headers are those
 * for which @way was learnt, across to the peer, unless somebody would see it on
 * the kernel's way. Counts it on the devices that it passes by. Where it is left to
 * the kernel, nothing has changed but where its headers lie.
 */
enum knet_express_result knet_express_cross(struct sk_buff *skb, const struct knet_express *way)
{
	bool v6 = skb->protocol == htons(ETH_P_IPV6);
	unsigned int header = v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	const struct net *net;
	unsigned int len;

	if (!is_current(skb, way))
		return KNET_EXPRESS_LEARN;
	net = dev_net_rcu(skb->dev);
	if (way->routes != routes_of(net, v6))
		return KNET_EXPRESS_LEARN;
	if (has_hooks(net, way, v6))
		return KNET_EXPRESS_HOOK;
	if (has_taps(net, way))
		return KNET_EXPRESS_TAP;
	if (has_programs(way))
		return KNET_EXPRESS_TC;
	/* Who had it go there may have gone meanwhile, and nobody tells of that. */
	if (!way->confirmed)
		return KNET_EXPRESS_LEARN;
	knet_pull_headers(skb);
	if (!is_plain(skb, way, v6, header))
		return KNET_EXPRESS_PACKET;
	if (knet_is_behind(way->veth))
		return KNET_EXPRESS_BEHIND;

	__skb_pull(skb, header + VXLAN_HLEN);
	pass_checksum(skb);
	len = skb->len;
	skb_clear_hash_if_not_l4(skb);
	skb_set_queue_mapping(skb, 0);
	knet_forget_napi(skb);
	skb_unset_transport_header(skb);
	skb_clear_tstamp(skb);
	/* The layers that are passed by would have written their own over what GRO has there. */
	memset(skb->cb, 0, sizeof(skb->cb));
	skb->encapsulation = 0;
	if (way->cross_net)
		skb->mark = 0;
	skb->dev = way->veth;
	dev_dstats_rx_add(way->vxlan, len - ETH_HLEN);
	if (__dev_forward_skb(way->peer, skb))
		return KNET_EXPRESS_DROPPED;
	dev_sw_netstats_tx_add(way->veth, 1, len);
	return KNET_EXPRESS_CROSSED;
}
