// SPDX-License-Identifier: GPL-2.0
/*
 * Routes of received packets, which are remembered by their addresses.
 *
 * What IPv4 finds for a packet to a local address is kept for the next one with the
 * same addresses on the same device, as a socket keeps it for the early demux. It is
 * good as long as the kernel says so (dst_check()), and for a second at most. A
 * packet that has a route is neither looked up nor demultiplexed early, so where
 * anybody would notice one of the two, or change the packet before, it gets none.
 */
#include <linux/hash.h>
#include <linux/if_vlan.h>
#include <linux/inetdevice.h>
#include <linux/ip.h>
#include <linux/jiffies.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/percpu.h>
#include <linux/skbuff.h>
#include <net/dst.h>
#include <net/inet_dscp.h>
#include <net/ip.h>
#include <net/ip_fib.h>
#include <net/route.h>
#include <net/rps.h>

#include "route.h"
#include "stamp.h"

/* A power of two. */
#define ROUTES	256

struct route {
	const struct net_device *dev;
	/* Held; NULL where there was none to be remembered at that generation. */
	struct dst_entry *dst;
	/* In jiffies. */
	unsigned long noted;
	__be32 source;
	__be32 destination;
	int genid;
	dscp_t dscp;
	u8 rp_filter;
};

/* Those of a CPU. */
struct knet_routes {
	u64 reused;
	struct route route[ROUTES];
};

/* Context: process. */
struct knet_routes __percpu *knet_routes_alloc(void)
{
	return alloc_percpu(struct knet_routes);
}

/* No packet function runs any more. Context: process. */
void knet_routes_free(struct knet_routes __percpu *routes)
{
	unsigned int cpu, i;

	for_each_possible_cpu(cpu)
		for (i = 0; i < ROUTES; i++)
			dst_release(per_cpu_ptr(routes, cpu)->route[i].dst);
	free_percpu(routes);
}

/* How many packets of @cpu got the route of another. */
u64 knet_routes_reused(struct knet_routes __percpu *routes, unsigned int cpu)
{
	return READ_ONCE(per_cpu_ptr(routes, cpu)->reused);
}

/* Whether the route depends on the addresses, the DSCP and the device alone. */
static bool is_plain(const struct sk_buff *skb, const struct iphdr *ip)
{
#ifdef CONFIG_SKB_EXTENSIONS
	if (skb->active_extensions)
		return false;
#endif
	return skb->pkt_type == PACKET_HOST && !skb->_skb_refdst && !skb->sk && !skb->mark &&
	       !skb_vlan_tag_present(skb) && skb_headlen(skb) >= sizeof(*ip) &&
	       ip->version == 4 && ip->ihl == 5 && !ip_is_fragment(ip);
}

/*
 * Whether somebody sees packets of @dev before IPv4 routes them, who could change
 * them or keep them, or behind that, who could ask for the socket.
 */
static bool is_watched(const struct net_device *dev, const struct net *net)
{
	unsigned long any;

	any = (unsigned long)rcu_access_pointer(net->nf.hooks_ipv4[NF_INET_PRE_ROUTING]) |
	      (unsigned long)rcu_access_pointer(net->nf.hooks_ipv4[NF_INET_LOCAL_IN]) |
	      (unsigned long)rcu_access_pointer(dev->nf_hooks_ingress) |
	      (unsigned long)rcu_access_pointer(dev->xdp_prog) |
	      (unsigned long)rcu_access_pointer(dev->rx_handler);
#ifdef CONFIG_NET_XGRESS
	any |= (unsigned long)rcu_access_pointer(dev->tcx_ingress);
#endif
#ifdef CONFIG_RPS
	/* The route may not be taken to another CPU. */
	if (static_branch_unlikely(&rps_needed))
		return true;
#endif
	return any || knet_phy_stamps(dev) || !list_empty(&net->ptype_all) || !list_empty(&dev->ptype_all);
}

/*
 * Whether the kernel takes @dst away from who holds it when its device goes. It keeps
 * no list of those that have a class of their source, which it makes for each packet.
 */
static bool goes_with_device(const struct dst_entry *dst)
{
#ifdef CONFIG_IP_ROUTE_CLASSID
	if (dst->tclassid)
		return false;
#endif
	return !dst->lwtstate;
}

/* Routes @skb as IPv4 would, and remembers the route if it is one to this host. */
static noinline void look_up(struct route *route, struct sk_buff *skb, const struct iphdr *ip,
			     u8 rp_filter)
{
	struct dst_entry *dst = NULL;
	int genid = rt_genid_ipv4(dev_net_rcu(skb->dev));

	/* If it has none, IPv4 is to find that out itself, and to count it. */
	if (!ip_route_input_noref(skb, ip->daddr, ip->saddr, ip4h_dscp(ip), skb->dev))
		dst = skb_dst(skb);
	if (dst && (skb_rtable(skb)->rt_type != RTN_LOCAL || !goes_with_device(dst) ||
		    !dst_hold_safe(dst))) {
		skb_dst_drop(skb);
		dst = NULL;
	}

	dst_release(route->dst);
	*route = (struct route){
		.dev = skb->dev,
		.dst = dst,
		.noted = jiffies,
		.source = ip->saddr,
		.destination = ip->daddr,
		.genid = genid,
		.dscp = ip4h_dscp(ip),
		.rp_filter = rp_filter,
	};
}

/*
 * Gives @skb, which is about to be received and whose data starts at the network
 * header, the route that IPv4 would find, if it is one to this host. Called in the
 * receive path, in which the packet then stays: the route is good as long as that.
 */
void knet_route_attach(struct knet_routes __percpu *routes, struct sk_buff *skb)
{
	const struct iphdr *ip = (const struct iphdr *)skb->data;
	struct knet_routes *here = this_cpu_ptr(routes);
	const struct net_device *dev = skb->dev;
	const struct in_device *in_dev;
	const struct net *net;
	struct route *route;
	u64 addresses;
	bool same;

	if (skb->protocol != htons(ETH_P_IP) || !is_plain(skb, ip))
		return;
	net = dev_net_rcu(dev);
	in_dev = __in_dev_get_rcu(dev);
	if (!in_dev || fib4_has_custom_rules(net) || netif_is_l3_slave(dev) ||
	    is_watched(dev, net))
		return;

	addresses = (u64)(__force u32)ip->saddr << 32 | (__force u32)ip->daddr;
	route = &here->route[hash_64(addresses, ilog2(ROUTES))];
	same = route->dev == dev && route->source == ip->saddr &&
	       route->destination == ip->daddr && route->dscp == ip4h_dscp(ip);
	if (same && time_before(jiffies, route->noted + HZ) &&
	    route->rp_filter == IN_DEV_RPFILTER(in_dev)) {
		if (!route->dst && route->genid == rt_genid_ipv4(net))
			return;
		if (route->dst && dst_check(route->dst, 0)) {
			skb_dst_set_noref(skb, route->dst);
			WRITE_ONCE(here->reused, here->reused + 1);
			return;
		}
	}
	/* Where many share a place, most are left alone. */
	if (same || !route->dev || time_after(jiffies, route->noted))
		look_up(route, skb, ip, IN_DEV_RPFILTER(in_dev));
}
