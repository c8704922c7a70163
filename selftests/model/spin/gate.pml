/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The gate: settings and rules change while a flow goes on.
 *
 * Models: one CPU and one flow of datagrams through a VXLAN device to a container.
 *   - prism/datapath.rs: Path::is_idle(), Shared::receive(), receive_adopted(),
 *     receive_other(), takes_into_flight();
 *   - prism/found.rs: serve_rule(), which looks at the settings behind the lookup;
 *   - prism/gate.rs: opens(), hold(), serve_held(), and prism/classify/quiet.rs: turn();
 *   - prism/settings.rs: set_mode(), set_accelerate(), while_changing();
 *   - prism/switch.rs: settle() and prism/hooks.rs: start(), drop();
 *   - prism/isolation/serve.rs: serve(), give_back(); prism/batch.rs: add(), serve_batch();
 *   - net/core/dev.c: net_rx_action() with its three lists, napi_schedule(),
 *     napi_complete_done() with NAPI_STATE_MISSED; gro_cells and the backlog behind it.
 * The operator's side runs at any time between two steps of the CPU's.
 *
 * Property: the socket gets each packet of the flow once and in the order in which the NIC
 * brought them (the assertion in deliver()), whatever changes; and it gets all of them (all_arrive), however
 * long other traffic keeps the CPU receiving.
 *
 * Leaves out: rates and displaced packets, TCP that is merged, limits of queues, gro_flush_timeout,
 * other CPUs, more than one change at a time. 64, the weight of NAPI, is 1 here, and the queues are as long as there are packets.
 *
 * Each BREAK_x is a bug that has to be found: see spin.sh.
 */
#ifndef PACKETS
#define PACKETS	3
#endif
/* From any settings to others. */
#define CHANGES	1
/* As in prism/gate.rs: the weights that two queues in a row need, and some more. */
#define TURNS_MAX	(2 * PACKETS + 1)

/* The NAPI instances. */
#define NIC	0
#define CELLS	1
#define BACKLOG	2
#define ISOLATE	3
#define BATCH	4
#define GATE	5

#define OFF	0
#define SYNC	1
#define BATCHED	2

#define NO_RULE	0
#define HIGH	1
#define NORMAL	2

/* Queues of packets, by their numbers from 1 on. */
chan cells = [PACKETS] of { byte };
chan backlog = [PACKETS] of { byte };
chan waiting = [PACKETS] of { byte };
chan batch = [PACKETS] of { byte };
chan held = [PACKETS] of { byte };
/* What hold() has put in front, which is one at most. */
byte held_front;

/* softnet_data.poll_list with what was put in front of it, and the lists of net_rx_action(). */
chan poll_list = [6] of { byte };
bool batch_is_first;
chan list = [6] of { byte };
chan repoll = [6] of { byte };
bool is_scheduled[6];
bool is_missed[6];
/* Inside a poll, and so inside an RCU read-side section. */
bool is_polling;

/* prism/settings.rs: CURRENT. A version, odd while a change is under way, and what it stands for. */
byte version, mode;
bool isolates, accelerates;
byte rule;
/* What the operator wants, and which hooks there are. */
byte wanted_mode;
bool wanted_isolate;
bool has_hooks, tunnel_hook, gro_hook;

/* prism/gate.rs: Seen. Adopted is nothing at first, which no version is. */
#define NO_VERSION	255
byte adopted = NO_VERSION, adopted_mode;
bool adopted_isolates, adopted_accelerates;
byte turns, quiet;
/* Whether the CPU has received something since the gate's last turn. */
bool has_received;

byte arrived, delivered;
bool has_started;

#define holds(queue)	(len(queue) > 0)
#define is_empty(queue)	(len(queue) == 0)
#define is_outdated	(adopted != version)
#define gate_holds	(holds(held) || held_front)
#define has_queued	(holds(waiting) || holds(batch))

/* What is broken. */
#ifdef BREAK_QUIET_ONCE
#define QUIET_TURNS	1
#else
#define QUIET_TURNS	2
#endif
#ifdef BREAK_NOT_FORGOTTEN
#define is_forgotten	false
#else
#define is_forgotten	true
#endif
#ifdef BREAK_LOOKS_ONCE
#define looks_again	false
#else
#define looks_again	true
#endif
#ifdef BREAK_HOLDS_BEHIND
#define in_front	false
#else
#define in_front	true
#endif
#ifdef BREAK_NOT_SCHEDULED
#define is_woken	false
#else
#define is_woken	true
#endif
#ifdef BREAK_NEVER_DUE
#define is_due	false
#else
#define is_due	(turns >= TURNS_MAX)
#endif
#ifdef BREAK_NOT_DRAINED
#define is_drained	false
#else
#define is_drained	true
#endif

inline deliver(p)
{
	assert(p == delivered + 1);
	delivered = p
}

inline schedule(i)
{
	if
	:: !is_scheduled[i] ->
		is_scheduled[i] = true;
		if
		:: i == BATCH -> batch_is_first = true
		:: else -> poll_list!i
		fi
	:: else -> is_missed[i] = true
	fi
}

inline complete(i)
{
	if
	:: is_missed[i] -> is_missed[i] = false; poll_list!i
	:: else -> is_scheduled[i] = false
	fi
}

/* Behind GRO: the kernel's layers up to the VXLAN socket, and there takes_into_flight(). */
inline pass(p)
{
	has_received = true;
	if
	:: tunnel_hook && adopted_mode != OFF && adopted_accelerates -> deliver(p)
	:: else -> cells!p; schedule(CELLS)
	fi
}

/* complete() of prism/express.rs. */
inline complete_by_mode(p)
{
	if
	:: adopted_mode == BATCHED -> batch!p; schedule(BATCH)
	:: else -> has_received = true; deliver(p)
	fi
}

inline hold(p, is_serving)
{
	if
	:: is_serving && in_front -> held_front = p
	:: else -> held!p
	fi;
	if
	:: is_woken -> schedule(GATE)
	:: else
	fi
}

inline adopt()
{
	adopted = version; adopted_mode = mode;
	adopted_isolates = isolates; adopted_accelerates = accelerates;
	turns = 0; quiet = 0
}

/* The lookup of the rule; then, in another step, what comes of it. */
inline receive_adopted(p, is_serving)
{
	found = rule;
	atomic {
		if
		:: looks_again && is_outdated -> hold(p, is_serving)
		:: else ->
			if
			:: found == HIGH && adopted_mode == OFF -> pass(p)
			:: found == HIGH && adopted_mode != OFF -> complete_by_mode(p)
			:: found != HIGH && (adopted_isolates || holds(waiting)) ->
				if
				:: is_empty(waiting) -> schedule(ISOLATE)
				:: else
				fi;
				waiting!p
			:: else ->
				if
				:: adopted_mode != OFF && adopted_accelerates -> complete_by_mode(p)
				:: else -> pass(p)
				fi
			fi
		fi;
		found = 0
	}
}

/* Shared::receive(), where is_idle() has not said that there is nothing to do. */
inline receive(p)
{
	if
	:: atomic { !gro_hook || rule == NO_RULE && !has_queued && !gate_holds -> pass(p) }
	:: else ->
		if
		:: atomic { is_outdated ->
			if
			:: !has_queued && !gate_holds && mode == OFF && !isolates && version % 2 == 0 ->
				adopt()
			:: else -> hold(p, false); goto received
			fi }
		:: else
		fi;
		receive_adopted(p, false)
	fi;
received:
	skip
}

/* What ends a poll. */
inline polled()
{
	is_polling = false;
	packet = 0; instance = 0;
	if
	:: true
	/* Another device has received something. */
	:: !has_received && is_scheduled[GATE] -> has_received = true
	/* The budget or the time of the softirq is used up. */
	:: holds(list) -> goto squeezed
	fi
}

/* A poll of the weight, which is one packet, has the instance polled again. */
inline poll_queue(queue, i)
{
	if
	:: queue?packet -> repoll!i; has_received = true
	:: is_empty(queue) -> complete(i)
	fi
}

/* A turn of isolation: of one packet, or of all where isolation is off or the gate holds some. */
inline poll_isolate()
{
	do
	:: waiting?packet ->
		if
		:: adopted_mode != OFF && adopted_accelerates -> complete_by_mode(packet)
		:: else -> pass(packet)
		fi;
		if
		:: holds(waiting) && adopted_isolates && !gate_holds ->
			complete(ISOLATE); schedule(ISOLATE);
			break
		:: else
		fi
	:: is_empty(waiting) -> complete(ISOLATE); break
	od
}

/* The first of serve_held(): what it looks at is one word, read in one step. */
inline look_at_gate()
{
	if
	:: !gate_holds -> turns = 0; quiet = 0
	:: else ->
		quiet = (!has_received && turns > 0 -> quiet + 1 : 0);
		if
		:: (is_due || quiet >= QUIET_TURNS) && version % 2 == 0 && !has_queued ->
			adopt(); may_pass = true
		:: else -> turns = (turns < TURNS_MAX -> turns + 1 : turns)
		fi;
		has_received = false
	fi
}

inline splice()
{
	if
	:: batch_is_first -> batch_is_first = false; list!BATCH
	:: else
	fi;
	do
	:: poll_list?instance -> list!instance
	:: is_empty(poll_list) -> instance = 0; break
	od
}

active proctype Cpu()
{
	byte instance, packet, found;
	bool may_pass;

	do
	:: atomic { delivered == PACKETS && !is_scheduled[GATE] && is_empty(poll_list) && is_empty(list) ->
		break }
	:: atomic { holds(poll_list) || batch_is_first || holds(list) -> splice() };
		do
		:: atomic { list?instance ->
			is_polling = true;
			if
			:: instance == CELLS ->
				poll_queue(cells, CELLS);
				if
				:: packet -> backlog!packet; schedule(BACKLOG)
				:: else
				fi;
				polled()
			:: instance == BACKLOG ->
				poll_queue(backlog, BACKLOG);
				if
				:: packet -> deliver(packet)
				:: else
				fi;
				polled()
			:: instance == BATCH ->
				if
				:: batch?packet -> has_received = true; deliver(packet)
				:: is_empty(batch)
				fi;
				complete(BATCH);
				if
				:: holds(batch) -> schedule(BATCH)
				:: else
				fi;
				polled()
			:: instance == ISOLATE -> poll_isolate(); polled()
			:: instance == NIC ->
				if
				:: arrived < PACKETS -> arrived++; packet = arrived; repoll!NIC
				:: complete(NIC)
				fi
			:: instance == GATE -> look_at_gate()
			fi };
			if
			:: instance == NIC && packet -> receive(packet); atomic { true; polled() }
			:: atomic { instance == NIC && !packet -> polled() }
			:: instance == GATE ->
				do
				:: atomic { may_pass && gate_holds ->
					if
					:: held_front -> packet = held_front; held_front = 0
					:: else -> held?packet
					fi };
					receive_adopted(packet, true);
					may_pass = !is_outdated
				:: atomic { !may_pass || !gate_holds ->
					complete(GATE);
					if
					:: !may_pass && gate_holds -> schedule(GATE)
					:: else
					fi;
					may_pass = false;
					break }
				od;
				atomic { true; polled() }
			:: else
			fi
		:: atomic { is_empty(list) && is_empty(repoll) && (holds(poll_list) || batch_is_first) ->
			splice() }
		:: else -> break
		od;
squeezed:	/* What is new comes before what is polled again. */
		atomic {
			splice();
			do
			:: repoll?instance -> list!instance
			:: is_empty(repoll) -> instance = 0; break
			od
		}
	od
}

active proctype Interrupt()
{
end:	do
	:: atomic { has_started && arrived < PACKETS && !is_scheduled[NIC] -> schedule(NIC) }
	od
}

inline set_mode(to_mode, to_isolate)
{
	atomic {
		if
		:: mode != to_mode || isolates != to_isolate ->
			mode = to_mode; isolates = to_isolate; version = version + 2
		:: else
		fi
	}
}

inline start_hooks()
{
	atomic {
		if
		:: is_forgotten -> adopted = NO_VERSION; adopted_mode = OFF
		:: else
		fi
	}
	tunnel_hook = true;
	gro_hook = true;
	has_hooks = true
}

/* Waits for readers that are there: that none is, is enough. */
inline wait_for_readers()
{
	!is_polling
}

inline drop_hooks()
{
	set_mode(OFF, false);
	do
	:: is_drained ->
		wait_for_readers();
		!gate_holds; is_empty(waiting); is_empty(batch);
		if
		:: !gate_holds -> break
		:: else
		fi
	:: !is_drained -> break
	od;
	gro_hook = false;
	wait_for_readers();
	tunnel_hook = false;
	has_hooks = false
}

inline settle()
{
	if
	:: wanted_mode == OFF && !wanted_isolate && has_hooks -> drop_hooks()
	:: (wanted_mode != OFF || wanted_isolate) && !has_hooks && rule != NO_RULE -> start_hooks()
	:: else
	fi;
	set_mode(wanted_mode, wanted_isolate);
	if
	:: has_hooks && !wanted_isolate -> is_empty(waiting)
	:: else
	fi
}

inline change_rule(to)
{
	version++;
	rule = to;
	version++;
	if
	:: rule != NO_RULE -> settle()
	/* The hooks stay for a while. */
	:: has_hooks && rule == NO_RULE -> drop_hooks()
	:: rule == NO_RULE
	fi
}

active proctype Operator()
{
	byte changes;

	/*
	 * It starts where nothing changes or waits. The CPU has adopted what is in force, or what was in
	 * force some time ago: nothing, or what has packets fly.
	 */
	atomic {
		select(wanted_mode : OFF .. BATCHED);
		select(rule : NO_RULE .. NORMAL);
		if
		:: wanted_isolate = true
		:: wanted_isolate = false
		fi;
		if
		:: accelerates = true
		:: accelerates = false
		fi;
		version = 2;
		if
		:: rule != NO_RULE && (wanted_mode != OFF || wanted_isolate) ->
			has_hooks = true; tunnel_hook = true; gro_hook = true;
			mode = wanted_mode; isolates = wanted_isolate
		:: else
		fi;
		if
		:: adopt()
		:: adopted = NO_VERSION
		:: adopted = NO_VERSION; adopted_mode = SYNC; adopted_accelerates = true
		fi;
		has_started = true
	}
	do
	:: changes < CHANGES ->
		changes++;
		if
		:: rule != NO_RULE -> change_rule(NO_RULE)
		:: rule != HIGH -> change_rule(HIGH)
		:: rule != NORMAL -> change_rule(NORMAL)
		:: atomic { accelerates = !accelerates; version = version + 2 }
		:: wanted_mode != OFF -> wanted_mode = OFF; settle()
		:: wanted_mode != SYNC -> wanted_mode = SYNC; settle()
		:: wanted_mode != BATCHED -> wanted_mode = BATCHED; settle()
		:: wanted_isolate = !wanted_isolate; settle()
		fi
	:: else -> break
	od
}

#ifdef ALL_ARRIVE
ltl all_arrive { <>(delivered == PACKETS) }
#endif
