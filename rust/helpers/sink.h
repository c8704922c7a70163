/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sockets that swallow what reaches them. Only modules built with KNET_NIC have
 * them.
 */
#ifndef _KNET_SINK_H
#define _KNET_SINK_H

#include <linux/types.h>

struct knet_sink;

/* How much of a message's content a sink's function is shown at most. */
#define KNET_SINK_HEAD	32
/* The first number of a connection's bytes, in either direction. */
#define KNET_SINK_SEQUENCE	1

typedef void (*knet_sink_fn)(void *data, const u8 *head, u32 len);

/* An address in network order, of IPv6 or in the first four bytes, and a port. */
struct knet_endpoint {
	u8 address[16];
	u16 port;
};

struct knet_sink *knet_sink_open(bool v6, const struct knet_endpoint *local, knet_sink_fn fn,
				 void *data);
struct knet_sink *knet_sink_connect(bool v6, const struct knet_endpoint *local,
				    const struct knet_endpoint *peer, u32 message,
				    knet_sink_fn fn, void *data);
void knet_sink_close(struct knet_sink *sink);

#endif /* _KNET_SINK_H */
