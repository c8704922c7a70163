// SPDX-License-Identifier: GPL-2.0
/*
 * Which tasks are woken by the packets that a CPU delivers, and their time
 * slices.
 */
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <uapi/linux/sched/types.h>

#include "receivers.h"

/* A delivery on this CPU, and whom it has woken so far. */
struct delivery {
	/*
	 * In whose context the delivery runs. With PREEMPT_RT, others may run
	 * in between, who wake tasks of their own.
	 */
	const struct task_struct *context;
	u32 count;
	struct task_struct *woken[KNET_WOKEN_MAX];
};

static DEFINE_PER_CPU(struct delivery, current_delivery);

/*
 * With IRQs off, and the lock of @task held: nothing can be done here but note
 * who it is.
 */
static void task_woken(void *data, struct task_struct *task)
{
	struct delivery *delivery = this_cpu_ptr(&current_delivery);

	if (likely(delivery->context != current))
		return;
	if (in_hardirq() || task == current || task->flags & PF_KTHREAD ||
	    delivery->count == KNET_WOKEN_MAX)
		return;
	delivery->woken[delivery->count++] = get_task_struct(task);
}

/* The kernel has these tracepoints for all, but exports their names to none. */
struct point {
	const char *name;
	struct tracepoint *found;
};

static struct point waking = { .name = "sched_waking" };
static struct point forking = { .name = "sched_process_fork" };

static void find_point(struct tracepoint *tracepoint, void *point)
{
	struct point *wanted = point;

	if (!strcmp(tracepoint->name, wanted->name))
		wanted->found = tracepoint;
}

/*
 * From here on deliveries tell whom they wake, and @forked is called. Process
 * context; sleeps. One caller at a time.
 */
int knet_receivers_watch(knet_forked_t forked, void *data)
{
	int err;

	for_each_kernel_tracepoint(find_point, &waking);
	for_each_kernel_tracepoint(find_point, &forking);
	if (!waking.found || !forking.found)
		return -EOPNOTSUPP;

	err = tracepoint_probe_register(forking.found, forked, data);
	if (err)
		return err;
	err = tracepoint_probe_register(waking.found, task_woken, NULL);
	if (err) {
		tracepoint_probe_unregister(forking.found, forked, data);
		tracepoint_synchronize_unregister();
	}
	return err;
}

/* Waits until nobody is inside a probe. */
void knet_receivers_unwatch(knet_forked_t forked, void *data)
{
	tracepoint_probe_unregister(waking.found, task_woken, NULL);
	tracepoint_probe_unregister(forking.found, forked, data);
	tracepoint_synchronize_unregister();
}

/* BH off. Not nested. */
void knet_delivery_begin(void)
{
	this_cpu_write(current_delivery.context, current);
}

/* How many tasks were woken since, of which the caller now has references. */
u32 knet_delivery_end(struct task_struct *woken[KNET_WOKEN_MAX])
{
	struct delivery *delivery = this_cpu_ptr(&current_delivery);
	u32 count;

	WRITE_ONCE(delivery->context, NULL);
	barrier();
	count = delivery->count;
	memcpy(woken, delivery->woken, count * sizeof(woken[0]));
	delivery->count = 0;
	return count;
}

struct task_struct *knet_task_get(struct task_struct *task)
{
	return get_task_struct(task);
}

void knet_task_put(struct task_struct *task)
{
	put_task_struct(task);
}

bool knet_task_is_gone(const struct task_struct *task)
{
	return READ_ONCE(task->flags) & PF_EXITING;
}

/*
 * Changes the time slice of @task to @to, if it is @from, both in ns; zero is
 * the default. Leaves tasks of other policies than SCHED_NORMAL alone. Whether
 * it was changed. Process context.
 */
bool knet_task_change_slice(struct task_struct *task, u64 from, u64 to)
{
	struct sched_attr attr = {
		.size = sizeof(attr),
		.sched_policy = -1,	/* SETPARAM_POLICY: as it is */
		.sched_nice = task_nice(task),
		.sched_runtime = to,
	};
	u64 slice = task->se.custom_slice ? task->se.slice : 0;

	if (task->policy != SCHED_NORMAL || slice != from)
		return false;
	return !sched_setattr_nocheck(task, &attr);
}
