// SPDX-License-Identifier: GPL-2.0
/*
 * Adds functions of the kernel to those that fail_function may have fail: what
 * a module registers with, which never fails for want of memory, or hardly ever.
 * Each returns an error that its callers have to expect, so that nothing of the
 * kernel's is at risk where it fails before it has done anything.
 *
 * And lets allocations fail from where a module has been loaded and is about to
 * be initialised: before that they are the kernel's own, which warns where it
 * has no memory for a module's jump labels.
 */
#include <linux/configfs.h>
#include <linux/debugfs.h>
#include <linux/error-injection.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/notifier.h>
#include <linux/percpu.h>
#include <linux/sysfs.h>
#include <linux/tracepoint.h>
#include <net/gro.h>
#include <net/switchdev.h>

ALLOW_ERROR_INJECTION(alloc_netdev_dummy, NULL);
ALLOW_ERROR_INJECTION(configfs_register_subsystem, ERRNO);
ALLOW_ERROR_INJECTION(debugfs_create_dir, ERRNO);
ALLOW_ERROR_INJECTION(debugfs_create_file_full, ERRNO);
ALLOW_ERROR_INJECTION(gro_find_receive_by_type, NULL);
ALLOW_ERROR_INJECTION(kobject_create_and_add, NULL);
ALLOW_ERROR_INJECTION(nf_register_net_hook, ERRNO);
ALLOW_ERROR_INJECTION(pcpu_alloc_noprof, NULL);
ALLOW_ERROR_INJECTION(register_netdevice_notifier, ERRNO);
ALLOW_ERROR_INJECTION(register_switchdev_blocking_notifier, ERRNO);
ALLOW_ERROR_INJECTION(register_switchdev_notifier, ERRNO);
ALLOW_ERROR_INJECTION(sysfs_create_group, ERRNO);
ALLOW_ERROR_INJECTION(tracepoint_probe_register, ERRNO);

static unsigned int nth_of_next;
module_param(nth_of_next, uint, 0600);
MODULE_PARM_DESC(nth_of_next, "which call fails once the next module is loaded");

/* In the task that loads it. */
static int failable_notify(struct notifier_block *nb, unsigned long state,
			   void *module)
{
	if (state == MODULE_STATE_COMING)
		WRITE_ONCE(current->fail_nth, xchg(&nth_of_next, 0));
	return NOTIFY_DONE;
}

static struct notifier_block failable_nb = {
	.notifier_call = failable_notify,
	.priority = INT_MIN,
};

static int __init failable_init(void)
{
	return register_module_notifier(&failable_nb);
}
module_init(failable_init);

static void __exit failable_exit(void)
{
	unregister_module_notifier(&failable_nb);
}
module_exit(failable_exit);

MODULE_DESCRIPTION("Functions that may be made to fail");
MODULE_LICENSE("GPL");
