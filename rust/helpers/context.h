/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whose the receive path of a CPU is.
 */
#ifndef _KNET_CONTEXT_H
#define _KNET_CONTEXT_H

#include <linux/types.h>

void knet_rx_enter(void);
void knet_rx_leave(void);
bool knet_rx_is_inside(void);

#endif /* _KNET_CONTEXT_H */
