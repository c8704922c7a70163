/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which tasks are woken by the packets that a CPU delivers, and their time
 * slices.
 */
#ifndef _KNET_RECEIVERS_H
#define _KNET_RECEIVERS_H

#include <linux/types.h>

struct task_struct;

/* The most tasks that are told of one delivery. */
#define KNET_WOKEN_MAX	4

/* Called when a task that has a time slice of its own has forked. */
typedef void (*knet_forked_t)(void *data, struct task_struct *parent,
			      struct task_struct *child);

int knet_receivers_watch(knet_forked_t forked, void *data);
void knet_receivers_unwatch(knet_forked_t forked, void *data);
void knet_delivery_begin(void);
u32 knet_delivery_end(struct task_struct *woken[KNET_WOKEN_MAX]);

struct task_struct *knet_task_get(struct task_struct *task);
void knet_task_put(struct task_struct *task);
bool knet_task_is_gone(const struct task_struct *task);
bool knet_task_change_slice(struct task_struct *task, u64 from, u64 to);

#endif /* _KNET_RECEIVERS_H */
