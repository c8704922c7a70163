// SPDX-License-Identifier: GPL-2.0
/*
 * A NIC whose interrupt is a timer.
 */
#include <linux/err.h>
#include <linux/etherdevice.h>
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/netdevice.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include "nic.h"
#include "shapes.h"

struct knet_nic {
	struct net_device *dev;
	struct napi_struct napi;
	struct hrtimer interrupt;
	const struct knet_nic_ops *ops;
	void *driver;
	struct knet_shapes shapes;
};

static enum hrtimer_restart nic_interrupt(struct hrtimer *timer)
{
	struct knet_nic *nic = container_of(timer, struct knet_nic, interrupt);

	napi_schedule_irqoff(&nic->napi);
	return HRTIMER_NORESTART;
}

static int nic_poll(struct napi_struct *napi, int budget)
{
	struct knet_nic *nic = container_of(napi, struct knet_nic, napi);
	int done = knet_shapes_poll(&nic->shapes, napi, budget);
	u64 next;

	if (done < budget)
		done += nic->ops->poll(nic->driver, nic, budget - done);
	if (done < budget && napi_complete_done(napi, done)) {
		next = nic->ops->interrupt(nic->driver);
		if (next)
			knet_nic_interrupt_at(nic, next);
	}
	return done;
}

static int nic_open(struct net_device *dev)
{
	struct knet_nic *nic = netdev_priv(dev);

	napi_enable(&nic->napi);
	netif_carrier_on(dev);
	netif_start_queue(dev);
	return 0;
}

static int nic_stop(struct net_device *dev)
{
	struct knet_nic *nic = netdev_priv(dev);

	netif_stop_queue(dev);
	/* A poll starts the timer, and the timer starts a poll. */
	hrtimer_cancel(&nic->interrupt);
	napi_disable(&nic->napi);
	hrtimer_cancel(&nic->interrupt);
	return 0;
}

/* There is nobody at the other end. */
static netdev_tx_t nic_xmit(struct sk_buff *skb, struct net_device *dev)
{
	dev_sw_netstats_tx_add(dev, 1, skb->len);
	dev_consume_skb_any(skb);
	return NETDEV_TX_OK;
}

static const struct net_device_ops nic_netdev_ops = {
	.ndo_open = nic_open,
	.ndo_stop = nic_stop,
	.ndo_start_xmit = nic_xmit,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
};

/* The same in each run, so that figures are. */
static void nic_set_address(struct net_device *dev)
{
	static atomic_t number;
	u8 address[ETH_ALEN] = { 0x02, 's', 'i', 'm', 0, 0 };

	put_unaligned_be16(atomic_inc_return(&number), address + 4);
	eth_hw_addr_set(dev, address);
}

/* Registers a device. Context: process. */
struct knet_nic *knet_nic_create(const char *name, const struct knet_nic_ops *ops, void *driver)
{
	struct net_device *dev = alloc_etherdev(sizeof(struct knet_nic));
	struct knet_nic *nic;
	int err;

	if (!dev)
		return ERR_PTR(-ENOMEM);
	nic = netdev_priv(dev);
	nic->dev = dev;
	nic->ops = ops;
	nic->driver = driver;
	knet_shapes_init(&nic->shapes);
	hrtimer_setup(&nic->interrupt, nic_interrupt, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_PINNED_HARD);
	strscpy(dev->name, name);
	dev->netdev_ops = &nic_netdev_ops;
	dev->pcpu_stat_type = NETDEV_PCPU_STAT_TSTATS;
	dev->hw_features = NETIF_F_RXCSUM | NETIF_F_HW_CSUM | NETIF_F_SG;
	dev->features = dev->hw_features;
	nic_set_address(dev);
	netif_napi_add(dev, &nic->napi, nic_poll);
	err = register_netdev(dev);
	if (err) {
		netif_napi_del(&nic->napi);
		free_netdev(dev);
		return ERR_PTR(err);
	}
	return nic;
}

/* Returns when no callback runs, nor will. Context: process. */
void knet_nic_destroy(struct knet_nic *nic)
{
	struct net_device *dev = nic->dev;

	unregister_netdev(dev);
	netif_napi_del(&nic->napi);
	knet_shapes_free(&nic->shapes);
	free_netdev(dev);
}

/* False where the device is down. Context: process or the NAPI poll. */
bool knet_nic_interrupt_at(struct knet_nic *nic, u64 ns)
{
	if (!netif_running(nic->dev))
		return false;
	hrtimer_start(&nic->interrupt, ns_to_ktime(ns), HRTIMER_MODE_ABS_PINNED_HARD);
	return true;
}

/*
 * Has a frame come in such a shape: @order is a struct knet_shape, and the frame.
 * It has been delivered on this CPU when this returns. Context: process.
 */
int knet_nic_shape(struct knet_nic *nic, const u8 *order, size_t len)
{
	int err;

	if (!netif_running(nic->dev))
		return -ENETDOWN;
	err = knet_shapes_add(&nic->shapes, order, len);
	if (err || order[offsetof(struct knet_shape, flags)] & KNET_SHAPE_MORE)
		return err;
	local_bh_disable();
	napi_schedule(&nic->napi);
	local_bh_enable();
	return 0;
}

struct knet_shape_count knet_nic_shape_count(const struct knet_nic *nic, u32 shape)
{
	return nic->shapes.counts[shape];
}

/* How many packets with another owner were written to, of those that are gone. */
u64 knet_nic_written(const struct knet_nic *nic)
{
	return nic->shapes.written;
}

/*
 * A packet with room for a frame of @len bytes, which are zero, to be filled.
 * They are cleared by words: a NIC would have written them without taking time,
 * and the processor's byte-wise ways take more of it when instructions are
 * counted. Context: the NAPI poll.
 */
struct sk_buff *knet_nic_alloc(struct knet_nic *nic, u32 len, u8 **frame)
{
	struct sk_buff *skb = napi_alloc_skb(&nic->napi, ALIGN(len, sizeof(u64)));

	if (skb) {
		memset64((u64 *)skb->data, 0, DIV_ROUND_UP(len, sizeof(u64)));
		*frame = skb_put(skb, len);
	}
	return skb;
}

/* As a NIC does that has verified so many @checksums, the outermost first. */
void knet_nic_receive(struct knet_nic *nic, struct sk_buff *skb, u8 checksums)
{
	dev_sw_netstats_rx_add(nic->dev, skb->len);
	skb->protocol = eth_type_trans(skb, nic->dev);
	if (checksums && (nic->dev->features & NETIF_F_RXCSUM)) {
		skb->ip_summed = CHECKSUM_UNNECESSARY;
		skb->csum_level = checksums - 1;
	}
	napi_gro_receive(&nic->napi, skb);
}

/* Frames for which the ring had no room. */
void knet_nic_missed(struct knet_nic *nic, u64 frames)
{
	DEV_STATS_ADD(nic->dev, rx_missed_errors, frames);
}

void knet_nic_address(const struct knet_nic *nic, u8 *address)
{
	ether_addr_copy(address, nic->dev->dev_addr);
}
