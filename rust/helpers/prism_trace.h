/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Documentation/tracing.rst says what each field means.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM prism

#if !defined(_PRISM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _PRISM_TRACE_H

#include <linux/tracepoint.h>

#include "trace.h"

#define KNET_DEFINE(kind, name)		TRACE_DEFINE_ENUM(KNET_##kind##_##name);
#define KNET_DEFINE_REASON(name, text)	KNET_DEFINE(REASON, name)
#define KNET_DEFINE_STAGE(name, text)	KNET_DEFINE(STAGE, name)
#define KNET_DEFINE_PLACE(name, text)	KNET_DEFINE(PLACE, name)
#define KNET_DEFINE_WAY(name, text)	KNET_DEFINE(WAY, name)
#define KNET_DEFINE_CLASS(name, text)	KNET_DEFINE(CLASS, name)

KNET_REASONS(KNET_DEFINE_REASON)
KNET_STAGES(KNET_DEFINE_STAGE)
KNET_PLACES(KNET_DEFINE_PLACE)
KNET_WAYS(KNET_DEFINE_WAY)
KNET_CLASSES(KNET_DEFINE_CLASS)

/* The last pair of a list is one that no number has. */
#define KNET_PAIR_REASON(name, text)	{ KNET_REASON_##name, text },
#define KNET_PAIR_STAGE(name, text)	{ KNET_STAGE_##name, text },
#define KNET_PAIR_PLACE(name, text)	{ KNET_PLACE_##name, text },
#define KNET_PAIR_WAY(name, text)	{ KNET_WAY_##name, text },
#define KNET_PAIR_CLASS(name, text)	{ KNET_CLASS_##name, text },

#define show_reason(value) \
	__print_symbolic(value, KNET_REASONS(KNET_PAIR_REASON) { 255, "none" })
#define show_stage(value)	__print_symbolic(value, KNET_STAGES(KNET_PAIR_STAGE) { 255, "none" })
#define show_place(value)	__print_symbolic(value, KNET_PLACES(KNET_PAIR_PLACE) { 255, "none" })
#define show_way(value)		__print_symbolic(value, KNET_WAYS(KNET_PAIR_WAY) { 255, "none" })
#define show_class(value)	__print_symbolic(value, KNET_CLASSES(KNET_PAIR_CLASS) { 255, "none" })

/* Which packet. The addresses are there twice: to be printed, and to be compared by filters. */
#define KNET_SEEN_FIELDS							\
	__field(const void *, skbaddr)						\
	__field(u32, hash)							\
	__field(int, vni)							\
	__field(u8, family)							\
	__field(u8, protocol)							\
	__field(u8, dscp)							\
	__field(u16, source_port)						\
	__field(u16, destination_port)						\
	__field(u64, source_hi)							\
	__field(u64, source_lo)							\
	__field(u64, destination_hi)						\
	__field(u64, destination_lo)						\
	__array(u8, source, sizeof(struct sockaddr_in6))			\
	__array(u8, destination, sizeof(struct sockaddr_in6))

#define KNET_SEEN_ASSIGN							\
	__entry->skbaddr = (const void *)(unsigned long)seen->skb;		\
	__entry->hash = seen->hash;						\
	__entry->vni = seen->vni;						\
	__entry->family = seen->family;						\
	__entry->protocol = seen->protocol;					\
	__entry->dscp = seen->dscp;						\
	__entry->source_port = seen->source_port;				\
	__entry->destination_port = seen->destination_port;			\
	__entry->source_hi = seen->source[0];					\
	__entry->source_lo = seen->source[1];					\
	__entry->destination_hi = seen->destination[0];				\
	__entry->destination_lo = seen->destination[1];				\
	to_sockaddr(__entry->source, seen->family, seen->source, seen->source_port); \
	to_sockaddr(__entry->destination, seen->family, seen->destination,	\
		    seen->destination_port)

#define KNET_SEEN_FORMAT	"skbaddr=%p hash=%08x vni=%d protocol=%u source=%pISpc destination=%pISpc"
#define KNET_SEEN_ARGS								\
	__entry->skbaddr, __entry->hash, __entry->vni, __entry->protocol,	\
	__entry->source, __entry->destination

TRACE_EVENT_FN(prism_classify,

	TP_PROTO(const struct knet_seen *seen, const struct net_device *dev, u32 len,
		 const char *rule, u8 class, u8 own),

	TP_ARGS(seen, dev, len, rule, class, own),

	TP_STRUCT__entry(
		KNET_SEEN_FIELDS
		__string(dev, dev->name)
		__string(rule, rule)
		__field(u32, len)
		__field(u8, class)
		__field(u8, own)
	),

	TP_fast_assign(
		KNET_SEEN_ASSIGN;
		__assign_str(dev);
		__assign_str(rule);
		__entry->len = len;
		__entry->class = class;
		__entry->own = own;
	),

	TP_printk(KNET_SEEN_FORMAT " dscp=%u dev=%s len=%u rule=%s class=%s own=%s", KNET_SEEN_ARGS,
		  __entry->dscp, __get_str(dev), __entry->len, __get_str(rule),
		  show_class(__entry->class), show_class(__entry->own)),

	watch_begin, watch_end
);

TRACE_EVENT_FN(prism_deliver,

	TP_PROTO(const struct knet_seen *seen, const struct net_device *dev, u8 to, u8 way),

	TP_ARGS(seen, dev, to, way),

	TP_STRUCT__entry(
		KNET_SEEN_FIELDS
		__string(dev, dev ? dev->name : "-")
		__field(u8, to)
		__field(u8, way)
	),

	TP_fast_assign(
		KNET_SEEN_ASSIGN;
		__assign_str(dev);
		__entry->to = to;
		__entry->way = way;
	),

	TP_printk(KNET_SEEN_FORMAT " to=%s way=%s dev=%s", KNET_SEEN_ARGS,
		  show_place(__entry->to), show_way(__entry->way), __get_str(dev)),

	watch_begin, watch_end
);

TRACE_EVENT_FN(prism_fallback,

	TP_PROTO(const struct knet_seen *seen, u8 stage, u8 reason),

	TP_ARGS(seen, stage, reason),

	TP_STRUCT__entry(
		KNET_SEEN_FIELDS
		__field(u8, stage)
		__field(u8, reason)
	),

	TP_fast_assign(
		KNET_SEEN_ASSIGN;
		__entry->stage = stage;
		__entry->reason = reason;
	),

	TP_printk(KNET_SEEN_FORMAT " stage=%s reason=%s", KNET_SEEN_ARGS,
		  show_stage(__entry->stage), show_reason(__entry->reason)),

	watch_begin, watch_end
);

TRACE_EVENT_FN(prism_demote,

	TP_PROTO(const struct knet_seen *seen, u8 reason, u32 limit),

	TP_ARGS(seen, reason, limit),

	TP_STRUCT__entry(
		KNET_SEEN_FIELDS
		__field(u8, reason)
		__field(u32, limit)
	),

	TP_fast_assign(
		KNET_SEEN_ASSIGN;
		__entry->reason = reason;
		__entry->limit = limit;
	),

	TP_printk(KNET_SEEN_FORMAT " reason=%s limit=%u", KNET_SEEN_ARGS,
		  show_reason(__entry->reason), __entry->limit),

	watch_begin, watch_end
);

TRACE_EVENT_FN(prism_drop,

	TP_PROTO(const struct knet_seen *seen, u8 reason),

	TP_ARGS(seen, reason),

	TP_STRUCT__entry(
		KNET_SEEN_FIELDS
		__field(u8, reason)
	),

	TP_fast_assign(
		KNET_SEEN_ASSIGN;
		__entry->reason = reason;
	),

	TP_printk(KNET_SEEN_FORMAT " reason=%s", KNET_SEEN_ARGS, show_reason(__entry->reason)),

	watch_begin, watch_end
);

#endif /* _PRISM_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE prism_trace
#include <trace/define_trace.h>
