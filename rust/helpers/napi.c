// SPDX-License-Identifier: GPL-2.0
/*
 * Packets that wait for a NAPI instance of the module's own.
 *
 * Unless said otherwise, functions are called with BH off on this CPU inside an
 * RCU read-side section, and whoever calls holds the lock of the queue.
 */
#include <linux/err.h>
#include <linux/kernel_stat.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <net/busy_poll.h>
#include <net/gro.h>
#include <trace/events/skb.h>

#include "napi.h"

struct knet_napi {
	struct napi_struct napi;
	knet_poll_t poll;
	void *data;
	struct net_device *dev;
	/*
	 * The driver's instance that brought packets here last. It is there at
	 * least as long as the round lasts in which it did: what goes away waits
	 * for a grace period, and there is none inside a softirq handler.
	 */
	struct napi_struct *driver;
	u32 driver_round;
};

/* Where GRO had its own state. */
static struct knet_memo *memo_of(struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct knet_memo) > sizeof(skb->cb));
	return (struct knet_memo *)skb->cb;
}

void knet_queue_push(struct knet_queue *queue, struct sk_buff *skb, struct knet_memo memo)
{
	*memo_of(skb) = memo;
	skb->next = NULL;
	if (queue->head)
		queue->tail->next = skb;
	else
		queue->head = skb;
	queue->tail = skb;
	queue->packets++;
}

void knet_queue_push_front(struct knet_queue *queue, struct sk_buff *skb, struct knet_memo memo)
{
	*memo_of(skb) = memo;
	skb->next = queue->head;
	if (!queue->head)
		queue->tail = skb;
	queue->head = skb;
	queue->packets++;
}

/* The first packet, or NULL. */
struct sk_buff *knet_queue_pop(struct knet_queue *queue, struct knet_memo *memo)
{
	struct sk_buff *skb = queue->head;

	if (!skb)
		return NULL;
	queue->head = skb->next;
	queue->packets--;
	skb_mark_not_on_list(skb);
	*memo = *memo_of(skb);
	/* It is nobody's business where the packet goes. */
	*memo_of(skb) = (struct knet_memo){};
	return skb;
}

/* Moves what was received on @dev to @to, and tells of each packet. */
void knet_queue_purge(struct knet_queue *queue, const struct net_device *dev, struct knet_queue *to,
		      void (*gone)(void *data, struct knet_memo memo), void *data)
{
	struct knet_queue kept = {};
	struct knet_memo memo;
	struct sk_buff *skb;

	while ((skb = knet_queue_pop(queue, &memo))) {
		if (skb->dev != dev) {
			knet_queue_push(&kept, skb, memo);
			continue;
		}
		gone(data, memo);
		knet_queue_push(to, skb, memo);
	}
	*queue = kept;
}

/* Drops a packet whose device goes away. */
void knet_drop_with_device(struct sk_buff *skb)
{
	kfree_skb_reason(skb, SKB_DROP_REASON_DEV_READY);
}

static int poll(struct napi_struct *napi, int budget)
{
	struct knet_napi *knet = container_of(napi, struct knet_napi, napi);
	int done;

	/* As GRO's handlers and netfilter's hooks are called. */
	rcu_read_lock();
	done = knet->poll(knet->data, knet, budget);
	rcu_read_unlock();
	return done;
}

/* For packets of @cpu; tracing calls it @name. Context: process. */
struct knet_napi *knet_napi_create(const char *name, knet_poll_t fn, void *data,
				   unsigned int cpu)
{
	struct knet_napi *knet = kzalloc_node(sizeof(*knet), GFP_KERNEL, cpu_to_node(cpu));

	if (!knet)
		return NULL;
	knet->poll = fn;
	knet->data = data;
	knet->dev = alloc_netdev_dummy(0);
	if (!knet->dev) {
		kfree(knet);
		return NULL;
	}
	strscpy(knet->dev->name, name);
	/* Sockets busy-poll the driver's instance, which packets are marked with. */
	set_bit(NAPI_STATE_NO_BUSY_POLL, &knet->napi.state);
	netif_napi_add(knet->dev, &knet->napi, poll);
	napi_enable(&knet->napi);
	return knet;
}

/*
 * Ends it. Nobody schedules it any more, but it may be read until after a grace
 * period. Context: process.
 */
void knet_napi_stop(struct knet_napi *knet)
{
	napi_disable(&knet->napi);
	__netif_napi_del(&knet->napi);
}

/* Stopped before, and a grace period has passed. Context: process. */
void knet_napi_free(struct knet_napi *knet)
{
	free_netdev(knet->dev);
	kfree(knet);
}

/* Returns when it does not run, nor will before it is resumed. Context: process. */
void knet_napi_pause(struct knet_napi *knet)
{
	napi_disable(&knet->napi);
}

void knet_napi_resume(struct knet_napi *knet)
{
	napi_enable(&knet->napi);
}

void knet_napi_schedule(struct knet_napi *knet)
{
	napi_schedule(&knet->napi);
}

/*
 * The same, and it is polled before all others that are to be polled on this CPU
 * once those are through that it has begun with.
 */
void knet_napi_schedule_first(struct knet_napi *knet)
{
	unsigned long flags;

	if (!napi_schedule_prep(&knet->napi))
		return;
	local_irq_save(flags);
	__napi_schedule(&knet->napi);
	list_move(&knet->napi.poll_list, &this_cpu_ptr(&softnet_data)->poll_list);
	local_irq_restore(flags);
}

static void schedule_here(void *knet)
{
	knet_napi_schedule(knet);
}

/*
 * Has it polled on @cpu, whose packets it serves: another CPU does not know what
 * came there before. Where @cpu is offline, here. Context: process.
 */
void knet_napi_schedule_on(struct knet_napi *knet, unsigned int cpu)
{
	if (!smp_call_function_single(cpu, schedule_here, knet, true))
		return;
	local_bh_disable();
	knet_napi_schedule(knet);
	local_bh_enable();
}

/* At the end of a poll: what GRO still holds is received. */
void knet_napi_complete(struct knet_napi *knet, int done)
{
	napi_complete_done(&knet->napi, done);
}

/* Some packets that were not merged may still be in a batch, in order. */
void knet_napi_flush(struct knet_napi *knet)
{
	__gro_flush(&knet->napi.gro, false);
}

/*
 * Whether @skb is part of another packet now. One whose data somebody else has too,
 * such as a packet socket, is none of those that GRO may write to; it is received
 * behind what GRO holds, when the poll ends at the latest.
 */
bool knet_napi_gro_receive(struct knet_napi *knet, struct sk_buff *skb)
{
	struct gro_node *gro = &knet->napi.gro;
	gro_result_t result;

	if (unlikely(skb_cloned(skb))) {
		__gro_flush(gro, false);
		list_add_tail(&skb->list, &gro->rx_list);
		gro->rx_count++;
		return false;
	}
	result = napi_gro_receive(&knet->napi, skb);
	return result == GRO_MERGED || result == GRO_MERGED_FREE;
}

/* A number for the run of the softirq handler that this is in, or was the last. */
u32 knet_round(void)
{
	return __this_cpu_read(kstat.softirqs[NET_RX_SOFTIRQ]);
}

static struct gro_node *gro_of(const struct sk_buff *skb, struct list_head *gro_list)
{
	u32 bucket = skb_get_hash_raw(skb) & (GRO_HASH_BUCKETS - 1);

	return container_of(gro_list, struct gro_node, hash[bucket].list);
}

/*
 * Whether nothing that came before @skb is held by the GRO whose handler was called
 * with @gro_list: neither of its flow, to be merged, nor of any, to be received.
 */
bool knet_gro_is_empty(const struct sk_buff *skb, struct list_head *gro_list)
{
	return list_empty(gro_list) && !gro_of(skb, gro_list)->rx_count;
}

/*
 * Called by a GRO handler, whose list tells for which NAPI instance it works. An
 * instance that polls in a thread, or for a socket or a netpoll, is their business.
 */
void knet_napi_note_driver(struct knet_napi *knet, const struct sk_buff *skb,
			   struct list_head *gro_list)
{
	const unsigned long foreign = NAPIF_STATE_DISABLE | NAPIF_STATE_NPSVC |
				      NAPIF_STATE_IN_BUSY_POLL | NAPIF_STATE_PREFER_BUSY_POLL |
				      NAPIF_STATE_THREADED;
	struct gro_node *gro = gro_of(skb, gro_list);
	struct napi_struct *driver = container_of(gro, struct napi_struct, gro);

	/* GRO is also used without NAPI, and then has no number. */
	if (!napi_id_valid(gro->cached_napi_id) || !in_serving_softirq() ||
	    READ_ONCE(driver->state) & foreign)
		return;
	knet->driver = driver;
	knet->driver_round = knet_round();
}

/*
 * Has the driver polled before the next turn, without an interrupt: as if one
 * had come while it was polled, which is what NAPI_STATE_MISSED says.
 */
void knet_napi_poll_driver(struct knet_napi *knet)
{
	if (knet->driver && knet->driver_round == knet_round())
		napi_schedule(knet->driver);
}

/* Of this CPU, what /proc/net/softnet_stat has in its first column. */
u32 knet_received_here(void)
{
	return this_cpu_read(softnet_data.processed);
}

/* Whether a thread of its own serves this CPU's backlog. */
bool knet_backlog_has_thread(void)
{
	return test_bit(NAPI_STATE_THREADED, &this_cpu_ptr(&softnet_data)->backlog.state);
}

/* How many packets were queued on this CPU's backlog, where they are counted. */
u32 knet_backlog_tail(void)
{
#ifdef CONFIG_RPS
	/* Others count under a lock that is not taken here. */
	return data_race(READ_ONCE(this_cpu_ptr(&softnet_data)->input_queue_tail));
#else
	return 0;
#endif
}

/*
 * Whether what was queued up to @tail on this CPU has been received. An idle backlog
 * is empty.
 */
bool knet_backlog_has_reached(u32 tail)
{
	const struct softnet_data *sd = this_cpu_ptr(&softnet_data);

	if (!test_bit(NAPI_STATE_SCHED, &sd->backlog.state))
		return true;
#ifdef CONFIG_RPS
	return (s32)(READ_ONCE(sd->input_queue_head) - tail) >= 0;
#else
	return false;
#endif
}

void knet_underway_note(struct knet_underway *underway)
{
	underway->tail = knet_backlog_tail();
	underway->grace = start_poll_synchronize_rcu();
}

bool knet_underway_is_through(const struct knet_underway *underway)
{
	return knet_backlog_has_reached(underway->tail) &&
	       poll_state_synchronize_rcu(underway->grace);
}

/* By names of their own, so that a profile tells the stages apart. */
void knet_receive_decapsulated(struct sk_buff *skb)
{
	netif_receive_skb(skb);
}

void knet_receive_delivered(struct sk_buff *skb)
{
	netif_receive_skb(skb);
}

/*
 * As what finds a full backlog: counted on the device that received it, and told
 * to who follows drops. Under overload this is done more often than anything else,
 * so the memory goes to NAPI's cache, whence the driver's next packet has it. The
 * kernel's only way there tells who follows consumed packets, too.
 */
void knet_drop_backlog(struct sk_buff *skb)
{
	const enum skb_drop_reason reason = SKB_DROP_REASON_CPU_BACKLOG;

	dev_core_stats_rx_dropped_inc(skb->dev);
	if (skb_shared(skb)) {
		kfree_skb_reason(skb, reason);
		return;
	}
	trace_kfree_skb(skb, __builtin_return_address(0), reason, NULL);
	napi_consume_skb(skb, 1);
}
