/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KNET_XDP_H
#define _KNET_XDP_H

#include <linux/netdevice.h>
#include <linux/unroll.h>

/* dev_xdp_prog_count(), as one sees it, in whatever mode. */
static inline bool knet_has_xdp(const struct net_device *dev)
{
	const struct bpf_xdp_entity *xdp = dev->xdp_state;
	unsigned long any = 0;
	int mode;

	unrolled_full
	for (mode = 0; mode < __MAX_XDP_MODE; mode++)
		any |= (unsigned long)xdp[mode].prog | (unsigned long)xdp[mode].link;
	return any;
}

#endif /* _KNET_XDP_H */
