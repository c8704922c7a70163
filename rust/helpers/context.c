// SPDX-License-Identifier: GPL-2.0
/*
 * In a kernel with PREEMPT_RT, what has BH off can be preempted, by others on that
 * CPU who have it off, too, unless one lock of the kernel's (PREEMPT_RT_NEEDS_BH_LOCK)
 * keeps them out. Without that, this one does for those who use what each CPU has of
 * the module's. It is called in no other kernel.
 *
 * All functions are called with BH off, which keeps a task on its CPU.
 */
#include <linux/local_lock.h>
#include <linux/percpu.h>
#include <linux/sched.h>

#include "context.h"

struct rx_path {
	local_lock_t lock;
	/* Whose it is, and how often he has entered it. */
	const struct task_struct *owner;
	unsigned int depth;
};

static DEFINE_PER_CPU(struct rx_path, rx_path) = {
	.lock = INIT_LOCAL_LOCK(lock),
};

/* Whether the task has entered it already. Nobody else makes that so, or not so. */
bool knet_rx_is_inside(void)
{
	return READ_ONCE(this_cpu_ptr(&rx_path)->owner) == current;
}

/* A task that is inside may enter again: it receives a packet for the module. */
void knet_rx_enter(void)
{
	if (!knet_rx_is_inside()) {
		local_lock_nested_bh(&rx_path.lock);
		WRITE_ONCE(this_cpu_ptr(&rx_path)->owner, current);
	}
	this_cpu_ptr(&rx_path)->depth++;
}

void knet_rx_leave(void)
{
	if (--this_cpu_ptr(&rx_path)->depth)
		return;
	WRITE_ONCE(this_cpu_ptr(&rx_path)->owner, NULL);
	local_unlock_nested_bh(&rx_path.lock);
}
