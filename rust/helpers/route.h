/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Routes of received packets, which are remembered by their addresses.
 */
#ifndef _KNET_ROUTE_H
#define _KNET_ROUTE_H

#include <linux/compiler.h>
#include <linux/types.h>

struct knet_routes;
struct sk_buff;

struct knet_routes __percpu *knet_routes_alloc(void);
void knet_routes_free(struct knet_routes __percpu *routes);
u64 knet_routes_reused(struct knet_routes __percpu *routes, unsigned int cpu);
void knet_route_attach(struct knet_routes __percpu *routes, struct sk_buff *skb);

#endif /* _KNET_ROUTE_H */
