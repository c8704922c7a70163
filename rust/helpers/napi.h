/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A stage of our own: packets that wait, and a NAPI instance that serves them.
 */
#ifndef _KNET_NAPI_H
#define _KNET_NAPI_H

#include <linux/types.h>

struct knet_napi;
struct list_head;
struct net_device;
struct sk_buff;

/* What the owner of a packet keeps of it while it waits. */
struct knet_memo {
	u64 ticket;
	u32 word;
	u32 since;
};

/* Packets in a row, each with a memo. All zero is empty. */
struct knet_queue {
	struct sk_buff *head;
	struct sk_buff *tail;	/* where there is a head */
	u32 packets;
};

void knet_queue_push(struct knet_queue *queue, struct sk_buff *skb, struct knet_memo memo);
void knet_queue_push_front(struct knet_queue *queue, struct sk_buff *skb, struct knet_memo memo);
struct sk_buff *knet_queue_pop(struct knet_queue *queue, struct knet_memo *memo);
void knet_queue_purge(struct knet_queue *queue, const struct net_device *dev, struct knet_queue *to,
		      void (*gone)(void *data, struct knet_memo memo), void *data);
void knet_drop_with_device(struct sk_buff *skb);

/* Serves what @data has, at most a @budget; how much that was, less than the budget. */
typedef int (*knet_poll_t)(void *data, struct knet_napi *napi, int budget);

struct knet_napi *knet_napi_create(const char *name, knet_poll_t poll, void *data,
				   unsigned int cpu);
void knet_napi_stop(struct knet_napi *napi);
void knet_napi_free(struct knet_napi *napi);
void knet_napi_pause(struct knet_napi *napi);
void knet_napi_resume(struct knet_napi *napi);
void knet_napi_schedule(struct knet_napi *napi);
void knet_napi_schedule_first(struct knet_napi *napi);
void knet_napi_schedule_on(struct knet_napi *napi, unsigned int cpu);
void knet_napi_complete(struct knet_napi *napi, int done);
void knet_napi_flush(struct knet_napi *napi);
bool knet_napi_gro_receive(struct knet_napi *napi, struct sk_buff *skb);

bool knet_gro_is_empty(const struct sk_buff *skb, struct list_head *gro_list);
void knet_napi_note_driver(struct knet_napi *napi, const struct sk_buff *skb,
			   struct list_head *gro_list);
void knet_napi_poll_driver(struct knet_napi *napi);

/* What is under way on a CPU. */
struct knet_underway {
	unsigned long grace;	/* once it is over, the softirq handlers of that time have ended */
	u32 tail;		/* how far the backlog's packets went, where they are counted */
};

bool knet_backlog_has_thread(void);
u32 knet_backlog_tail(void);
bool knet_backlog_has_reached(u32 tail);
void knet_underway_note(struct knet_underway *underway);
bool knet_underway_is_through(const struct knet_underway *underway);

u32 knet_received_here(void);
void knet_receive_decapsulated(struct sk_buff *skb);
void knet_receive_delivered(struct sk_buff *skb);
void knet_drop_backlog(struct sk_buff *skb);
u32 knet_round(void);

#endif /* _KNET_NAPI_H */
