// SPDX-License-Identifier: GPL-2.0
/*
 * A view of the vxlan driver's sockets and devices, and decapsulation in the
 * steps of vxlan_rcv() (drivers/net/vxlan/vxlan_core.c).
 *
 * The packet functions run with BH off inside an RCU read-side section; skb->data
 * is at the outer UDP header, as a UDP socket's encap_rcv has it.
 */
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/log2.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <linux/udp.h>
#include <linux/unaligned.h>
#include <net/dsfield.h>
#include <net/inet_ecn.h>
#include <net/ip_tunnels.h>
#include <net/vxlan.h>

#include "knet.h"

/* The sockets that @dev receives on, under RTNL. Returns how many. */
unsigned int knet_vxlan_socks(struct net_device *dev, struct sock *socks[2])
{
	struct vxlan_dev *vxlan = netdev_priv(dev);
	struct vxlan_sock *vs;
	unsigned int n = 0;

	if (!netif_is_vxlan(dev))
		return 0;
	vs = rtnl_dereference(vxlan->vn4_sock);
	if (vs && vs->sk)
		socks[n++] = vs->sk;
#if IS_ENABLED(CONFIG_IPV6)
	vs = rtnl_dereference(vxlan->vn6_sock);
	if (vs && vs->sk)
		socks[n++] = vs->sk;
#endif
	return n;
}

/* The UDP port a socket is bound to, in host order. */
u16 knet_sock_port(const struct sock *sk)
{
	return inet_sk(sk)->inet_num;
}

bool knet_sock_is_v6(const struct sock *sk)
{
	return sk->sk_family == AF_INET6;
}

enum knet_sock_owner knet_sock_owner(const struct sock *sk)
{
	const struct net *net = sock_net(sk);

	if (net_eq(net, &init_net))
		return KNET_SOCK_HOME;
	return net->user_ns == &init_user_ns ? KNET_SOCK_AWAY : KNET_SOCK_FOREIGN;
}

knet_encap_rcv_t knet_sock_encap_rcv(const struct sock *sk)
{
	return READ_ONCE(udp_sk(sk)->encap_rcv);
}

void knet_sock_set_encap_rcv(struct sock *sk, knet_encap_rcv_t rcv)
{
	/* Who sees the handler sees what it was set up with before. */
	smp_store_release(&udp_sk(sk)->encap_rcv, rcv);
}

static const struct hlist_head *vni_bucket(const struct vxlan_sock *vs, __be32 vni)
{
	return &vs->vni_list[hash_32((__force u32)vni, VNI_HASH_BITS)];
}

static struct vxlan_dev *find_vni(struct vxlan_sock *vs, int ifindex,
				  __be32 vni)
{
	struct vxlan_dev_node *node;

	hlist_for_each_entry_rcu(node, vni_bucket(vs, vni), hlist) {
		struct vxlan_dev *vxlan = node->vxlan;

		if (!vxlan || vxlan->default_dst.remote_vni != vni)
			continue;
		if ((vxlan->cfg.flags & VXLAN_F_IPV6_LINKLOCAL) &&
		    vxlan->cfg.remote_ifindex != ifindex)
			continue;
		return vxlan;
	}
	return NULL;
}

/* Whether packets of the device may come to another namespace than the socket's as they are. */
static bool leads_out(const struct vxlan_dev *vxlan)
{
	return !net_eq(vxlan->net, dev_net_rcu(vxlan->dev)) || knet_is_shared(vxlan->dev);
}

/* What is known of FDBs is good until the next generation. */
static atomic_t fdb_generation = ATOMIC_INIT(0);

static int fdb_event(struct notifier_block *nb, unsigned long event, void *info)
{
	if (event == SWITCHDEV_VXLAN_FDB_ADD_TO_DEVICE ||
	    event == SWITCHDEV_VXLAN_FDB_DEL_TO_DEVICE)
		atomic_inc(&fdb_generation);
	return NOTIFY_DONE;
}

static struct notifier_block fdb_notifier = {
	.notifier_call = fdb_event,
};

/* Starts a new generation with every change of an FDB. */
int knet_vxlan_follow_fdb(void)
{
	if (!IS_ENABLED(CONFIG_NET_SWITCHDEV))
		return 0;
	return register_switchdev_notifier(&fdb_notifier);
}

void knet_vxlan_unfollow_fdb(void)
{
	if (IS_ENABLED(CONFIG_NET_SWITCHDEV))
		unregister_switchdev_notifier(&fdb_notifier);
}

/* Where changes cannot be followed, each call is a generation of its own. */
static u32 current_fdb_generation(void)
{
	if (!IS_ENABLED(CONFIG_NET_SWITCHDEV))
		return atomic_inc_return(&fdb_generation);
	return atomic_read(&fdb_generation);
}

static u64 outer_source(const struct sk_buff *skb, bool v6)
{
	const struct in6_addr *addr;

	if (!v6)
		return (__force u32)ip_hdr(skb)->saddr;
	addr = &ipv6_hdr(skb)->saddr;
	return ((__force u64)addr->s6_addr32[0] << 32 |
		(__force u32)addr->s6_addr32[1]) ^
	       ((__force u64)addr->s6_addr32[2] << 32 |
		(__force u32)addr->s6_addr32[3]) * 0x9e3779b97f4a7c15ULL;
}

/*
 * Where the transport header of @skb begins behind the inner network header at
 * @header, of which @len bytes are there; zero where nothing tells. Of a merged
 * packet the kernel wants to know, and GRO on the VXLAN device would tell. Behind
 * other headers it is where GRO has the checksum begin, if it has.
 */
static u16 inner_transport(const struct sk_buff *skb, const void *header,
			   unsigned int len, __be16 protocol)
{
	const struct ipv6hdr *ip6h;
	const struct iphdr *iph;
	unsigned int tag = 0;
	int start;

	if (protocol == htons(ETH_P_8021Q) && len >= VLAN_HLEN) {
		protocol = ((const struct vlan_hdr *)header)->h_vlan_encapsulated_proto;
		tag = VLAN_HLEN;
	}
	iph = header + tag;
	ip6h = header + tag;
	if (protocol == htons(ETH_P_IP) && len >= tag + sizeof(*iph))
		return iph->ihl >= 5 ? tag + iph->ihl * 4 : 0;
	if (protocol == htons(ETH_P_IPV6) && len >= tag + sizeof(*ip6h) &&
	    (ip6h->nexthdr == IPPROTO_TCP || ip6h->nexthdr == IPPROTO_UDP))
		return tag + sizeof(*ip6h);
	if (skb->ip_summed != CHECKSUM_PARTIAL)
		return 0;
	start = skb_checksum_start_offset(skb) - (int)(VXLAN_HLEN + ETH_HLEN);
	return clamp(start, 0, U16_MAX);
}

/* From the UDP header through the largest inner one that decapsulation looks at. */
#define HEADERS_MAX	(VXLAN_HLEN + VLAN_ETH_HLEN + sizeof(struct ipv6hdr))

/*
 * Looks at the headers of a datagram and looks its VNI up among the devices of
 * the socket. Sockets whose devices do not each stand for one VNI are not looked
 * into. Changes nothing, and needs no memory: what has to be left to the driver is,
 * whatever there is of that.
 */
enum knet_vxlan_lookup knet_vxlan_look(struct sock *sk, struct sk_buff *skb,
				       struct knet_vxlan *vx)
{
	const u32 len = min_t(u32, skb->len, HEADERS_MAX);
	/* Filled where it is used, which is seldom. */
	u8 buffer[HEADERS_MAX] __uninitialized;
	bool v6 = sk->sk_family == AF_INET6;
	const unsigned long now = jiffies;
	const struct vxlan_dev *vxlan;
	const struct vlan_ethhdr *eth;
	const struct vxlanhdr *vxh;
	struct vxlan_sock *vs;
	const u8 *udp;

	if (len < VXLAN_HLEN + VLAN_ETH_HLEN)
		return KNET_VXLAN_NO_HEADERS;
	udp = skb_header_pointer(skb, 0, len, buffer);
	if (!udp)
		return KNET_VXLAN_NO_HEADERS;
	vxh = (const struct vxlanhdr *)(udp + sizeof(struct udphdr));
	if (!(vxh->vx_flags & VXLAN_HF_VNI))
		return KNET_VXLAN_NO_FLAG;
	vs = rcu_dereference_sk_user_data(sk);
	if (!vs || vs->flags & (VXLAN_F_COLLECT_METADATA | VXLAN_F_VNIFILTER))
		return KNET_VXLAN_FEATURES;
	vxlan = find_vni(vs, skb->dev->ifindex, vxlan_vni(vxh->vx_vni));
	if (!vxlan)
		return KNET_VXLAN_NO_VNI;

	vx->dev = vxlan->dev;
	vx->features = vs->flags | vxlan->cfg.flags;
	vx->reserved = (__force u32)((vxh->vx_flags & vxlan->cfg.reserved_bits.vx_flags) |
				     (vxh->vx_vni & vxlan->cfg.reserved_bits.vx_vni));
	vx->up = vxlan->dev->flags & IFF_UP;
	vx->from = skb->dev;
	vx->cross_net = !net_eq(vxlan->net, dev_net(vxlan->dev));
	vx->leads_out = leads_out(vxlan);

	eth = (const struct vlan_ethhdr *)(vxh + 1);
	vx->transport = 0;
	if (skb_is_gso(skb)) {
		vx->transport = inner_transport(skb, (const u8 *)eth + ETH_HLEN,
						len - VXLAN_HLEN - ETH_HLEN,
						eth->h_vlan_proto);
		if (!vx->transport)
			return KNET_VXLAN_FEATURES;
	}
	vx->source = 0;
	memcpy(&vx->source, eth->h_source, ETH_ALEN);
	vx->own_source = ether_addr_equal_unaligned(eth->h_source,
						    vxlan->dev->dev_addr);
	vx->inner_word = get_unaligned_be16(&eth->h_vlan_TCI);
	vx->inner_protocol = get_unaligned_be16(&eth->h_vlan_proto);
	if (vx->inner_protocol == ETH_P_8021Q)
		vx->inner_protocol =
			get_unaligned_be16(&eth->h_vlan_encapsulated_proto);

	vx->outer_dsfield = v6 ? ipv6_get_dsfield(ipv6_hdr(skb)) :
				 ip_hdr(skb)->tos;
	vx->outer_source = outer_source(skb, v6);
	vx->fdb_generation = current_fdb_generation();
	vx->second = now >> order_base_2(HZ);
	return KNET_VXLAN_FOUND;
}

/*
 * Whether learning from this packet would change nothing but the time of its
 * FDB entry: the entry exists and names the sender.
 */
bool knet_vxlan_fdb_current(const struct knet_vxlan *vx, const struct sock *sk,
			    const struct sk_buff *skb)
{
	const struct vxlan_dev *vxlan = netdev_priv(vx->dev);
	struct switchdev_notifier_vxlan_fdb_info info;
	u32 ifindex = 0;

	if (vxlan_fdb_find_uc(vx->dev, (const u8 *)&vx->source, vxlan->cfg.vni, &info))
		return false;
	if (sk->sk_family == AF_INET)
		return info.remote_ip.sa.sa_family == AF_INET &&
		       !info.remote_ifindex &&
		       info.remote_ip.sin.sin_addr.s_addr == ip_hdr(skb)->saddr;
#if IS_ENABLED(CONFIG_IPV6)
	if (ipv6_addr_type(&ipv6_hdr(skb)->saddr) & IPV6_ADDR_LINKLOCAL)
		ifindex = skb->dev->ifindex;
	return info.remote_ip.sa.sa_family == AF_INET6 &&
	       info.remote_ifindex == ifindex &&
	       ipv6_addr_equal(&info.remote_ip.sin6.sin6_addr,
			       &ipv6_hdr(skb)->saddr);
#else
	return false;
#endif
}

static bool drop_malformed(const struct knet_vxlan *vx, struct sk_buff *skb,
			   enum skb_drop_reason reason)
{
	DEV_STATS_INC(vx->dev, rx_errors);
	kfree_skb_reason(skb, reason);
	return false;
}

/*
 * Removes the outer headers, as vxlan_rcv() does once it has decided to keep
 * the packet, and counts it on the VXLAN device. The headers were found good.
 * Returns whether the packet is still there.
 */
bool knet_vxlan_decapsulate(const struct knet_vxlan *vx, struct sk_buff *skb)
{
	bool v6 = skb->protocol == htons(ETH_P_IPV6);
	int outer = skb_network_header(skb) - skb->head;
	void *oiph;

	if (__iptunnel_pull_header(skb, VXLAN_HLEN, htons(ETH_P_TEB), false,
				   vx->cross_net)) {
		kfree_skb_reason(skb, SKB_DROP_REASON_NOMEM);
		return false;
	}
	skb_reset_mac_header(skb);
	skb->protocol = eth_type_trans(skb, vx->dev);
	skb_postpull_rcsum(skb, eth_hdr(skb), ETH_HLEN);
	skb_reset_network_header(skb);
	if (!pskb_inet_may_pull(skb)) {
		DEV_STATS_INC(vx->dev, rx_length_errors);
		return drop_malformed(vx, skb, SKB_DROP_REASON_PKT_TOO_SMALL);
	}

	oiph = skb->head + outer;
	if ((v6 ? IP6_ECN_decapsulate(oiph, skb) :
		  IP_ECN_decapsulate(oiph, skb)) > 1) {
		DEV_STATS_INC(vx->dev, rx_frame_errors);
		return drop_malformed(vx, skb, SKB_DROP_REASON_IP_TUNNEL_ECN);
	}

	dev_dstats_rx_add(vx->dev, skb->len);
	if (vx->transport)
		skb_set_transport_header(skb, vx->transport);
	else
		skb_unset_transport_header(skb);
	return true;
}

/* Makes them linear. Returns whether the packet is still there. */
bool knet_vxlan_pull_headers(struct sk_buff *skb)
{
	if (pskb_may_pull(skb, min_t(u32, skb->len, HEADERS_MAX)))
		return true;
	kfree_skb_reason(skb, SKB_DROP_REASON_NOMEM);
	return false;
}

/*
 * Takes the priority from a datagram that the driver may decapsulate into another
 * namespace than the socket's, or to who leads it there: it leaves that to who has
 * set it.
 */
void knet_vxlan_untag(const struct sock *sk, struct sk_buff *skb)
{
	const struct vxlan_sock *vs = rcu_dereference_sk_user_data(sk);
	const struct vxlan_dev_node *node;
	struct vxlanhdr buffer;
	const struct vxlanhdr *vxh;
	__be32 vni;

	vxh = skb_header_pointer(skb, sizeof(struct udphdr), sizeof(buffer), &buffer);
	if (!vs || !vxh)
		return;
	vni = vs->flags & VXLAN_F_COLLECT_METADATA && !(vs->flags & VXLAN_F_VNIFILTER) ?
		      0 : vxlan_vni(vxh->vx_vni);
	hlist_for_each_entry_rcu(node, vni_bucket(vs, vni), hlist)
		if (node->vxlan && leads_out(node->vxlan))
			skb->priority = 0;
}
