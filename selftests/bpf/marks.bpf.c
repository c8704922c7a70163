// SPDX-License-Identifier: GPL-2.0
/*
 * Writes all that a tc program may write of a packet besides its bytes, as the
 * host's own programs might, to see what of it a container is told.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

/* What scrub.sh looks for. */
#define MARK		0x1234
#define HASH		0xabcd
#define QUEUE		3
#define TC_INDEX	7
#define STAMP		1000

__u32 marks_count;

SEC("tc")
int prism_marks(struct __sk_buff *skb)
{
	marks_count++;
	/* The verifier refuses two writes in one. */
	skb->mark = MARK;
	barrier();
	skb->queue_mapping = QUEUE;
	skb->tc_index = TC_INDEX;
	skb->tstamp = STAMP;
	bpf_set_hash(skb, HASH);
	skb->cb[0] = MARK;
	barrier();
	skb->cb[1] = MARK;
	barrier();
	skb->cb[2] = MARK;
	barrier();
	skb->cb[3] = MARK;
	barrier();
	skb->cb[4] = MARK;
	return TC_ACT_OK;
}

char _license[] SEC("license") = "GPL";
