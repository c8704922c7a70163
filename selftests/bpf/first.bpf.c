// SPDX-License-Identifier: GPL-2.0
/*
 * What a tc program sees of a packet where a container receives it, on any
 * kernel: whoever is root in the container can look at this.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define MAX		32
#define PORT_FIRST	5001
#define PORT_LAST	5002

struct first {
	__u32 port;
	__u32 mark;
	__u32 priority;
	__u32 hash;
	__u32 queue_mapping;
	__u32 tc_index;
	__u32 tc_classid;
	__u32 pkt_type;
	__u32 protocol;
	__u32 vlan_present;
	__u32 ingress_ifindex;
	__u32 ifindex;
	__u32 napi_id;
	__u32 gso_segs;
	__u32 gso_size;
	__u32 has_tstamp;
	__u32 tstamp_type;
	__u32 cb;
};

__u32 first_count;
struct first first[MAX];

SEC("tc")
int prism_first(struct __sk_buff *skb)
{
	__u32 at, port_at = ETH_HLEN + 2;
	__be16 port = 0;

	port_at += skb->protocol == bpf_htons(ETH_P_IPV6) ? 40 : 20;
	bpf_skb_load_bytes(skb, port_at, &port, sizeof(port));
	if (bpf_ntohs(port) < PORT_FIRST || bpf_ntohs(port) > PORT_LAST)
		return TC_ACT_OK;
	at = first_count;
	if (at >= MAX)
		return TC_ACT_OK;
	first_count = at + 1;
	first[at].port = bpf_ntohs(port);
	first[at].mark = skb->mark;
	first[at].priority = skb->priority;
	first[at].hash = skb->hash;
	first[at].queue_mapping = skb->queue_mapping;
	first[at].tc_index = skb->tc_index;
	first[at].tc_classid = skb->tc_classid;
	first[at].pkt_type = skb->pkt_type;
	first[at].protocol = skb->protocol;
	first[at].vlan_present = skb->vlan_present;
	first[at].ingress_ifindex = skb->ingress_ifindex;
	first[at].ifindex = skb->ifindex;
	first[at].napi_id = skb->napi_id;
	first[at].gso_segs = skb->gso_segs;
	first[at].gso_size = skb->gso_size;
	first[at].has_tstamp = !!skb->tstamp;
	first[at].tstamp_type = skb->tstamp_type;
	first[at].cb = skb->cb[0] | skb->cb[1] | skb->cb[2] | skb->cb[3] | skb->cb[4];
	return TC_ACT_OK;
}

char _license[] SEC("license") = "GPL";
