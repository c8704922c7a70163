/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kernel objects of the control plane: sysfs directories, configfs subsystems,
 * deferred work, and a limit on what is logged.
 */
#ifndef _KNET_CONTROL_H
#define _KNET_CONTROL_H

#include <linux/types.h>
#include <linux/workqueue.h>

struct attribute;
struct config_group;
struct config_item_type;
struct configfs_subsystem;
struct kobj_attribute;
struct kobject;

typedef ssize_t (*knet_show_t)(struct kobject *kobj,
			       struct kobj_attribute *attr, char *page);
typedef ssize_t (*knet_store_t)(struct kobject *kobj,
				struct kobj_attribute *attr, const char *text,
				size_t len);

struct kobject *knet_sysfs_create_dir(const char *name);
void knet_sysfs_remove_dir(struct kobject *dir);
struct attribute *knet_sysfs_init_file(struct kobj_attribute *file,
				       const char *name, umode_t mode,
				       knet_show_t show, knet_store_t store);
int knet_sysfs_create_group(struct kobject *dir, const char *name,
			    struct attribute **files);
void knet_sysfs_remove_group(struct kobject *dir, const char *name,
			     struct attribute **files);

int knet_configfs_register(struct configfs_subsystem *subsys, const char *name,
			   const struct config_item_type *type,
			   struct config_group *group, const char *group_name,
			   const struct config_item_type *group_type);
void knet_configfs_unregister(struct configfs_subsystem *subsys);

/* Work that may be queued with a delay. */
struct knet_work {
	struct delayed_work work;
	void (*fn)(struct knet_work *work);
};

void knet_work_init(struct knet_work *work, void (*fn)(struct knet_work *work), void *class);
void knet_work_queue(struct knet_work *work, u32 delay_ms);
void knet_work_hasten(struct knet_work *work);
void knet_work_cancel(struct knet_work *work);

bool knet_may_log(void);

#endif /* _KNET_CONTROL_H */
