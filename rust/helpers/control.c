// SPDX-License-Identifier: GPL-2.0
/*
 * Kernel objects of the control plane, initialised in C because lockdep wants
 * a static key at each place that does so, and because the layout of the sysfs
 * types depends on the configuration.
 *
 * Everything here is called in process context and may sleep, except for
 * knet_work_queue() and knet_may_log().
 */
#include <linux/configfs.h>
#include <linux/jiffies.h>
#include <linux/kobject.h>
#include <linux/list.h>
#include <linux/ratelimit.h>
#include <linux/sysfs.h>
#include <linux/workqueue.h>

#include "control.h"

/* A directory in /sys/kernel, or NULL. */
struct kobject *knet_sysfs_create_dir(const char *name)
{
	return kobject_create_and_add(name, kernel_kobj);
}

/* Returns when nobody is inside a callback of a file in @dir any more. */
void knet_sysfs_remove_dir(struct kobject *dir)
{
	kobject_del(dir);
	kobject_put(dir);
}

struct attribute *knet_sysfs_init_file(struct kobj_attribute *file,
				       const char *name, umode_t mode,
				       knet_show_t show, knet_store_t store)
{
	sysfs_attr_init(&file->attr);
	file->attr.name = name;
	file->attr.mode = mode;
	file->show = show;
	file->store = mode & 0200 ? store : NULL;
	return &file->attr;
}

/* @files is terminated by NULL; without a @name they go into @dir itself. */
int knet_sysfs_create_group(struct kobject *dir, const char *name,
			    struct attribute **files)
{
	struct attribute_group group = { .name = name, .attrs = files };

	return sysfs_create_group(dir, &group);
}

/* Returns when nobody is inside a callback of one of @files any more. */
void knet_sysfs_remove_group(struct kobject *dir, const char *name,
			     struct attribute **files)
{
	struct attribute_group group = { .name = name, .attrs = files };

	sysfs_remove_group(dir, &group);
}

static void release_groups(struct configfs_subsystem *subsys)
{
	configfs_remove_default_groups(&subsys->su_group);
	config_group_put(&subsys->su_group);
	mutex_destroy(&subsys->su_mutex);
}

/* Registers @subsys with @group as a directory that it always has. */
int knet_configfs_register(struct configfs_subsystem *subsys, const char *name,
			   const struct config_item_type *type,
			   struct config_group *group, const char *group_name,
			   const struct config_item_type *group_type)
{
	int err;

	mutex_init(&subsys->su_mutex);
	config_group_init_type_name(&subsys->su_group, name, type);
	config_group_init_type_name(group, group_name, group_type);
	configfs_add_default_group(group, &subsys->su_group);
	err = configfs_register_subsystem(subsys);
	if (err)
		release_groups(subsys);
	return err;
}

/* No item may be left. Returns when nobody is inside a callback any more. */
void knet_configfs_unregister(struct configfs_subsystem *subsys)
{
	configfs_unregister_subsystem(subsys);
	release_groups(subsys);
}

static void run_work(struct work_struct *work)
{
	struct knet_work *knet =
		container_of(to_delayed_work(work), struct knet_work, work);

	knet->fn(knet);
}

/* @class is a struct lock_class_key, which is empty without lockdep. */
void knet_work_init(struct knet_work *work, void (*fn)(struct knet_work *work), void *class)
{
	INIT_DELAYED_WORK(&work->work, run_work);
	lockdep_init_map(&work->work.work.lockdep_map, "knet_work", class, 0);
	work->fn = fn;
}

void knet_work_queue(struct knet_work *work, u32 delay_ms)
{
	queue_delayed_work(system_dfl_wq, &work->work,
			   msecs_to_jiffies(delay_ms));
}

/* The same, and not later, even if it was to be. */
void knet_work_hasten(struct knet_work *work)
{
	mod_delayed_work(system_dfl_wq, &work->work, 0);
}

/* Returns when @work neither runs nor will. */
void knet_work_cancel(struct knet_work *work)
{
	cancel_delayed_work_sync(&work->work);
}

/* Whether there is room in the log for one more line that a user causes. */
bool knet_may_log(void)
{
	static DEFINE_RATELIMIT_STATE(limit, HZ, 100);

	return ___ratelimit(&limit, "prism");
}
