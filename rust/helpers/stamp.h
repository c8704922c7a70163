/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KNET_STAMP_H
#define _KNET_STAMP_H

#include <linux/netdevice.h>
#include <linux/phy.h>

/* Whether a PHY of @dev may keep a packet until it has a time stamp: skb_defer_rx_timestamp(). */
static inline bool knet_phy_stamps(const struct net_device *dev)
{
	return IS_ENABLED(CONFIG_NETWORK_PHY_TIMESTAMPING) &&
	       (rcu_access_pointer(dev->hwprov) || phy_is_default_hwtstamp(dev->phydev));
}

#endif /* _KNET_STAMP_H */
