// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel holds of a packet where a container meets it first, and where
 * it is routed: the fields of struct sk_buff that one namespace could tell
 * another by. Pointers are told only as far as they are to be the same for each
 * packet of a flow.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define MAX		32
#define PORT_FIRST	5001
#define PORT_LAST	5002

/* Below a NAPI instance's number there may be that of a CPU, of which a guest has fewer. */
#define CPUS		8

/*
 * How far a checksum was verified (ip_summed, csum_*) is left out, as that is told
 * by who has verified it, GRO on the VXLAN device or the socket, and so is what GRO
 * notes for itself (slow_gro).
 */
struct net_device {
	char name[16];
	int ifindex;
} __attribute__((preserve_access_index));

struct sk_buff {
	struct net_device *dev;
	void *sk;
	__s64 tstamp;
	unsigned long _skb_refdst;
	void *destructor;
	unsigned long _nfct;
	__u16 mac_len;
	__u16 queue_mapping;
	__u8 active_extensions;
	__u8 pkt_type:3, ignore_df:1, dst_pending_confirm:1, ooo_okay:1;
	__u8 tstamp_type:2, tc_at_ingress:1, tc_skip_classify:1, remcsum_offload:1;
	__u8 l4_hash:1, sw_hash:1, no_fcs:1, encapsulation:1, encap_hdr_csum:1,
	     ndisc_nodetype:2;
	__u8 ipvs_property:1, nf_trace:1, offload_fwd_mark:1, offload_l3_fwd_mark:1,
	     redirected:1, from_ingress:1, nf_skip_egress:1, decrypted:1;
	__u8 csum_not_inet:1, unreadable:1, tc_depth:2;
	__u16 tc_index;
	__u32 priority;
	int skb_iif;
	__u32 hash;
	__u32 vlan_all;
	unsigned int napi_id;
	__u32 secmark;
	__u32 mark;
	__be16 inner_protocol;
	__be16 protocol;
	__u16 transport_header;
	__u16 network_header;
	__u16 mac_header;
	unsigned char *head;
	unsigned char *data;
} __attribute__((preserve_access_index));

struct seen {
	__u64 mark;
	__u64 priority;
	__u64 hash;
	__u64 queue_mapping;
	__u64 skb_iif;
	__u64 tc_index;
	__u64 vlan_all;
	__u64 _nfct;
	__u64 secmark;
	__u64 active_extensions;
	__u64 inner_protocol;
	__u64 protocol;
	__u64 mac_len;
	__u64 l4_hash;
	__u64 sw_hash;
	__u64 pkt_type;
	__u64 ignore_df;
	__u64 csum_not_inet;
	__u64 remcsum_offload;
	__u64 encapsulation;
	__u64 encap_hdr_csum;
	__u64 tstamp_type;
	__u64 tc_at_ingress;
	__u64 tc_skip_classify;
	__u64 tc_depth;
	__u64 ooo_okay;
	__u64 dst_pending_confirm;
	__u64 no_fcs;
	__u64 ndisc_nodetype;
	__u64 ipvs_property;
	__u64 nf_trace;
	__u64 offload_fwd_mark;
	__u64 offload_l3_fwd_mark;
	__u64 redirected;
	__u64 from_ingress;
	__u64 nf_skip_egress;
	__u64 decrypted;
	__u64 unreadable;
	__u64 napi;
	__u64 port;
	__u64 dev;
	__u64 has_sk;
	__u64 has_tstamp;
	__u64 has_destructor;
	__u64 has_mac_header;
	__u64 headers_len;
};

struct routed {
	__u64 port;
	__u64 mark;
	__u64 priority;
	__u64 skb_iif;
	__u64 dst;
	__u64 dst_is_counted;
	__u64 has_sk;
};

/* On the host, at the first hook of the container, and behind its routing. */
__u32 host_count, seen_count, routed_count;
struct seen host[MAX];
struct seen seen[MAX];
struct routed routed[MAX];

/* SKB_DST_NOREF of linux/skbuff.h. */
#define NOREF 1UL

/* The destination port, or zero where it is not one of the flows. */
static __u16 flow_port(const void *ip)
{
	__u8 version = 0;
	__be16 port = 0;

	bpf_probe_read_kernel(&version, 1, ip);
	bpf_probe_read_kernel(&port, 2, ip + (version >> 4 == 6 ? 40 : 20) + 2);
	port = bpf_ntohs(port);
	return port >= PORT_FIRST && port <= PORT_LAST ? port : 0;
}

/* A kernel may be built without. */
#define READ_BITS(name)                                                         \
	do {                                                                    \
		if (bpf_core_field_exists(skb->name))                           \
			to->name = BPF_CORE_READ_BITFIELD_PROBED(skb, name);    \
	} while (0)

static __always_inline void note(struct seen *to, struct sk_buff *skb)
{
	to->mark = BPF_CORE_READ(skb, mark);
	to->priority = BPF_CORE_READ(skb, priority);
	to->hash = BPF_CORE_READ(skb, hash);
	to->queue_mapping = BPF_CORE_READ(skb, queue_mapping);
	to->skb_iif = BPF_CORE_READ(skb, skb_iif);
	to->tc_index = BPF_CORE_READ(skb, tc_index);
	to->vlan_all = BPF_CORE_READ(skb, vlan_all);
	to->_nfct = BPF_CORE_READ(skb, _nfct);
	to->secmark = BPF_CORE_READ(skb, secmark);
	to->active_extensions = BPF_CORE_READ(skb, active_extensions);
	to->inner_protocol = BPF_CORE_READ(skb, inner_protocol);
	to->protocol = BPF_CORE_READ(skb, protocol);
	to->mac_len = BPF_CORE_READ(skb, mac_len);
	READ_BITS(l4_hash);
	READ_BITS(sw_hash);
	READ_BITS(pkt_type);
	READ_BITS(ignore_df);
	READ_BITS(csum_not_inet);
	READ_BITS(remcsum_offload);
	READ_BITS(encapsulation);
	READ_BITS(encap_hdr_csum);
	READ_BITS(tstamp_type);
	READ_BITS(tc_at_ingress);
	READ_BITS(tc_skip_classify);
	READ_BITS(tc_depth);
	READ_BITS(ooo_okay);
	READ_BITS(dst_pending_confirm);
	READ_BITS(no_fcs);
	READ_BITS(ndisc_nodetype);
	READ_BITS(ipvs_property);
	READ_BITS(nf_trace);
	READ_BITS(offload_fwd_mark);
	READ_BITS(offload_l3_fwd_mark);
	READ_BITS(redirected);
	READ_BITS(from_ingress);
	READ_BITS(nf_skip_egress);
	READ_BITS(decrypted);
	READ_BITS(unreadable);
	to->napi = BPF_CORE_READ(skb, napi_id) > CPUS ? BPF_CORE_READ(skb, napi_id) : 0;
	to->port = flow_port(BPF_CORE_READ(skb, data));
	to->dev = BPF_CORE_READ(skb, dev, ifindex);
	to->has_sk = !!BPF_CORE_READ(skb, sk);
	to->has_tstamp = !!BPF_CORE_READ(skb, tstamp);
	to->has_destructor = !!BPF_CORE_READ(skb, destructor);
	to->has_mac_header = BPF_CORE_READ(skb, mac_header) != 0xffff;
	to->headers_len = BPF_CORE_READ(skb, data) - BPF_CORE_READ(skb, head) -
			  BPF_CORE_READ(skb, mac_header);
}

static bool is_on(struct sk_buff *skb, const char *name, int len)
{
	char is[16] = {};
	int i;

	BPF_CORE_READ_STR_INTO(&is, skb, dev, name);
	for (i = 0; i < len; i++)
		if (is[i] != name[i])
			return false;
	return true;
}

SEC("tp_btf/netif_receive_skb")
int BPF_PROG(prism_seen, struct sk_buff *skb)
{
	__u32 at;

	if (!flow_port(BPF_CORE_READ(skb, data)))
		return 0;
	if (is_on(skb, "eth0", 5)) {
		at = seen_count++;
		if (at < MAX)
			note(&seen[at], skb);
	} else if (is_on(skb, "vx", 2)) {
		at = host_count++;
		if (at < MAX)
			note(&host[at], skb);
	}
	return 0;
}

static int note_routed(struct sk_buff *skb)
{
	unsigned long refdst;
	__u32 at;

	if (!is_on(skb, "eth0", 5) || !flow_port(BPF_CORE_READ(skb, data)))
		return 0;
	at = routed_count++;
	if (at >= MAX)
		return 0;
	refdst = BPF_CORE_READ(skb, _skb_refdst);
	routed[at].port = flow_port(BPF_CORE_READ(skb, data));
	routed[at].mark = BPF_CORE_READ(skb, mark);
	routed[at].priority = BPF_CORE_READ(skb, priority);
	routed[at].skb_iif = BPF_CORE_READ(skb, skb_iif);
	/* As far as the shell's numbers go. */
	routed[at].dst = (__u32)(refdst & ~NOREF);
	routed[at].dst_is_counted = !(refdst & NOREF);
	routed[at].has_sk = !!BPF_CORE_READ(skb, sk);
	return 0;
}

SEC("fentry/ip_local_deliver")
int BPF_PROG(prism_routed, struct sk_buff *skb)
{
	return note_routed(skb);
}

SEC("fentry/ip6_input")
int BPF_PROG(prism_routed6, struct sk_buff *skb)
{
	return note_routed(skb);
}

char _license[] SEC("license") = "GPL";
