// SPDX-License-Identifier: GPL-2.0
/*
 * XDP programs for a container's device: one passes everything on, one drops
 * UDP to port 5001 and passes the rest on. A map counts what they saw.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define PORT 5001

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} prism_seen SEC(".maps");

static int is_flow(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = data + sizeof(*eth);
	struct udphdr *udp = (void *)(ip + 1);

	return (void *)(udp + 1) <= end && eth->h_proto == bpf_htons(ETH_P_IP) &&
	       ip->protocol == IPPROTO_UDP && udp->dest == bpf_htons(PORT);
}

static void count(struct xdp_md *ctx)
{
	__u32 zero = 0;
	__u64 *seen = bpf_map_lookup_elem(&prism_seen, &zero);

	if (seen && is_flow(ctx))
		__sync_fetch_and_add(seen, 1);
}

SEC("xdp/pass")
int prism_pass(struct xdp_md *ctx)
{
	count(ctx);
	return XDP_PASS;
}

SEC("xdp/drop")
int prism_drop(struct xdp_md *ctx)
{
	count(ctx);
	return is_flow(ctx) ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "GPL";
