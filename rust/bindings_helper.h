/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What bindgen reads to make the library's bindings.
 */
#include <linux/configfs.h>
#include <linux/kobject.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/notifier.h>
#include <linux/percpu.h>
#include <linux/skbuff.h>
#include <linux/sysfs.h>
#include <linux/workqueue.h>
#include <net/gro.h>
#include <net/vxlan.h>

#include "context.h"
#include "control.h"
#include "express.h"
#include "knet.h"
#include "napi.h"
#include "nic.h"
#include "receivers.h"
#include "route.h"
#include "sink.h"
#include "trace.h"
