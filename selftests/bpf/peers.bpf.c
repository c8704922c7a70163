// SPDX-License-Identifier: GPL-2.0
/*
 * What eBPF can do for packets to containers, for the measurements to compare
 * with. Both programs know a container by its MAC address.
 *
 * on_vxlan: on the VXLAN device, past the bridge and the CPU's backlog into the
 *           container, as Cilium's host routing does it.
 * on_nic:   on the NIC, past everything: takes the tunnel's headers off and
 *           redirects, as ONCache does it.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define VXLAN_PORT	4789
#define VXLAN_FLAGS	0x08000000
#define VNI		100

struct vxlan {
	__be32 flags;
	__be32 vni;
};

#pragma pack(push, 1)
struct tunnelled {
	struct ethhdr eth;
	struct iphdr ip;
	struct udphdr udp;
	struct vxlan vxlan;
	struct ethhdr inner;
};
#pragma pack(pop)

/* From the MAC address in the upper bytes to the host's end of the veth. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u32);
} containers SEC(".maps");

static __always_inline int into_container(const struct ethhdr *eth)
{
	__u64 key = 0;
	__u32 *ifindex;

	__builtin_memcpy(&key, eth->h_dest, ETH_ALEN);
	ifindex = bpf_map_lookup_elem(&containers, &key);
	return ifindex ? bpf_redirect_peer(*ifindex, 0) : TC_ACT_OK;
}

SEC("tc")
int on_vxlan(struct __sk_buff *skb)
{
	const struct ethhdr *eth = (void *)(long)skb->data;

	if ((void *)(eth + 1) > (void *)(long)skb->data_end)
		return TC_ACT_OK;
	return into_container(eth);
}

static __always_inline bool is_tunnelled(const struct tunnelled *h)
{
	return h->eth.h_proto == bpf_htons(ETH_P_IP) && h->ip.version == 4 && h->ip.ihl == 5 &&
	       h->ip.protocol == IPPROTO_UDP && !(h->ip.frag_off & bpf_htons(0x3fff)) &&
	       h->udp.dest == bpf_htons(VXLAN_PORT) && h->vxlan.flags == bpf_htonl(VXLAN_FLAGS) &&
	       h->vxlan.vni == bpf_htonl(VNI << 8) && h->inner.h_proto == bpf_htons(ETH_P_IP);
}

SEC("tc")
int on_nic(struct __sk_buff *skb)
{
	const struct tunnelled *h = (void *)(long)skb->data;
	const int tunnel = sizeof(*h) - sizeof(h->eth);
	struct ethhdr inner;
	__u64 key = 0;
	__u32 *ifindex;

	if ((void *)(h + 1) > (void *)(long)skb->data_end || !is_tunnelled(h))
		return TC_ACT_OK;
	inner = h->inner;
	__builtin_memcpy(&key, inner.h_dest, ETH_ALEN);
	ifindex = bpf_map_lookup_elem(&containers, &key);
	if (!ifindex)
		return TC_ACT_OK;
	/* What is between the two Ethernet headers goes, and the inner one takes the outer one's place. */
	if (bpf_skb_adjust_room(skb, -tunnel, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_NO_CSUM_RESET) ||
	    bpf_skb_store_bytes(skb, 0, &inner, sizeof(inner), 0))
		return TC_ACT_SHOT;
	return bpf_redirect_peer(*ifindex, 0);
}

char _license[] SEC("license") = "GPL";
