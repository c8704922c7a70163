// SPDX-License-Identifier: GPL-2.0
/*
 * The tracepoints, and the key that says whether anybody looks. Rust tests the key
 * where a packet comes by, which is a no-op in the code, and calls these if so.
 */
#include <linux/in6.h>
#include <linux/netdevice.h>
#include <linux/socket.h>

#include "trace.h"

/* Looked at once for each tracepoint that has a probe, and for the histograms. */
struct knet_watch knet_watched = { .key = STATIC_KEY_FALSE_INIT };

void knet_watch_begin(void)
{
	static_branch_inc(&knet_watched.key);
}

void knet_watch_end(void)
{
	static_branch_dec(&knet_watched.key);
}

/* As printk's %pISpc wants it. */
static void to_sockaddr(u8 to[sizeof(struct sockaddr_in6)], u8 family, const u64 address[2],
			u16 port)
{
	struct sockaddr_in6 in6 = {};
	struct sockaddr_in in = {};

	if (family == 6) {
		in6.sin6_family = AF_INET6;
		in6.sin6_port = htons(port);
		in6.sin6_addr.s6_addr32[0] = htonl(address[0] >> 32);
		in6.sin6_addr.s6_addr32[1] = htonl(address[0]);
		in6.sin6_addr.s6_addr32[2] = htonl(address[1] >> 32);
		in6.sin6_addr.s6_addr32[3] = htonl(address[1]);
		memcpy(to, &in6, sizeof(in6));
		return;
	}
	/* Of a packet of which nothing is known, all is zero. */
	in.sin_family = AF_INET;
	in.sin_port = htons(port);
	in.sin_addr.s_addr = htonl(address[1]);
	memset(to, 0, sizeof(in6));
	memcpy(to, &in, sizeof(in));
}

static int watch_begin(void)
{
	knet_watch_begin();
	return 0;
}

static void watch_end(void)
{
	knet_watch_end();
}

#define CREATE_TRACE_POINTS
#include "prism_trace.h"

void knet_trace_classify(const struct knet_seen *seen, const struct net_device *dev, u32 len,
			 const char *rule, u8 class, u8 own)
{
	trace_prism_classify(seen, dev, len, rule, class, own);
}

void knet_trace_deliver(const struct knet_seen *seen, const struct net_device *dev, u8 to, u8 way)
{
	trace_prism_deliver(seen, dev, to, way);
}

void knet_trace_fallback(const struct knet_seen *seen, u8 stage, u8 reason)
{
	trace_prism_fallback(seen, stage, reason);
}

void knet_trace_demote(const struct knet_seen *seen, u8 reason, u32 limit)
{
	trace_prism_demote(seen, reason, limit);
}

void knet_trace_drop(const struct knet_seen *seen, u8 reason)
{
	trace_prism_drop(seen, reason);
}
