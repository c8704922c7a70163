/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A stage: packets wait on a CPU, the CPU goes offline, the device goes away, the module unloads.
 *
 * Models: the stage of one CPU, which a packet's CPU fills and which its NAPI instance serves on that CPU
 * or, once that is offline, on another.
 *   - rust/stage.rs: Stage::with(), schedule(), purge(), stop(), poll(), Stages::drain() and drop();
 *   - prism/isolation/mod.rs: defer(), where the first one schedules, or the queue is full;
 *   - prism/hooks.rs: entry() at Event::Unregister, and Hooks::drop();
 *   - net/core/dev.c: napi_schedule_prep(), napi_complete_done(), napi_disable(), napi_enable(),
 *     dev_cpu_dead(), which hands the poll list on, and synchronize_net() before the notifier.
 *
 * Property: each packet that was taken is served, or dropped and counted; none is served once its device
 * is gone, none waits then or when the module is gone, and nothing is used once it was freed. Nobody
 * waits for ever (no invalid end state).
 *
 * Leaves out: classes and order, for which there is gate.pml; several devices.
 *
 * Each BREAK_x is a bug that has to be found: see spin.sh.
 */
#define PACKETS	3
#define LIMIT	2

#ifdef BREAK_NOT_PAUSED
#define is_paused	false
#else
#define is_paused	true
#endif
#ifdef BREAK_NOT_RESCHEDULED
#define is_rescheduled	false
#else
#define is_rescheduled	true
#endif
#ifdef BREAK_NOT_DRAINED
#define is_drained	false
#else
#define is_drained	true
#endif
#ifdef BREAK_NOT_STOPPED
#define is_stopped	false
#else
#define is_stopped	true
#endif
#ifdef BREAK_NOT_COUNTED
#define counts	false
#else
#define counts	true
#endif
#ifdef BREAK_NOT_HANDED_ON
#define hands_on	false
#else
#define hands_on	true
#endif

/* The bits of napi->state, and whether the instance is on a poll list, of either CPU. */
bool sched, missed, disable, listed;
byte list_cpu;
bool online = true;

/* What waits. Whoever changes it holds the lock, here by one step. */
byte waiting;
byte taken, served, dropped;
/* The hook, the device, and the memory of the stage. */
bool hooked = true, has_device = true, freed;
/* Inside a hook or a poll: RCU read-side sections. */
byte readers;

inline schedule(cpu)
{
	assert(!freed);
	if
	:: disable
	:: else ->
		if
		:: !sched -> sched = true; listed = true; list_cpu = cpu
		:: else -> missed = true
		fi
	fi
}

/* Frames that the device's CPU receives, which is the second once the first is offline. */
active proctype Receive()
{
	byte frames;
	bool is_first;

	do
	:: atomic { frames < PACKETS && hooked && has_device -> readers++ };
		frames++;
		atomic {
			assert(!freed);
			taken++;
			if
			:: waiting < LIMIT -> is_first = (waiting == 0); waiting++
			:: else -> is_first = false; dropped = (counts -> dropped + 1 : dropped)
			fi
		}
		/* Behind the lock. */
		atomic {
			if
			:: is_first -> schedule((online -> 0 : 1))
			:: else
			fi;
			is_first = false;
			readers--
		}
	:: frames == PACKETS || !hooked || !has_device -> break
	od
}

/* The softirq of a CPU: one packet a turn. */
proctype Softirq(byte cpu)
{
	bool is_last, has_packet;

end:	do
	:: atomic { listed && list_cpu == cpu && (cpu == 1 || online) -> listed = false; readers++ };
		assert(!freed);
		atomic {
			if
			:: waiting > 0 -> waiting--; has_packet = true
			:: else
			fi;
			is_last = (waiting == 0)
		}
		if
		:: atomic { has_packet -> assert(has_device); has_packet = false; served++ }
		:: else
		fi;
		/* napi_complete_done(), and napi_schedule() if something is left. */
		atomic {
			assert(!freed);
			if
			:: missed -> missed = false; listed = true; list_cpu = cpu
			:: else -> sched = false
			fi;
			if
			:: !is_last -> schedule(cpu)
			:: else
			fi;
			is_last = false;
			readers--
		}
	od
}

/* The first CPU goes offline between two turns; the second takes its list. */
active proctype Offline()
{
	if
	:: atomic { readers == 0 ->
		online = false;
		if
		:: hands_on -> list_cpu = 1
		:: else
		fi }
	:: true
	fi
}

inline napi_disable()
{
	disable = true;
	atomic { !sched -> sched = true };
	disable = false
}

/* Event::Unregister, behind dev_close_many() and synchronize_net(). */
inline purge()
{
	if
	:: is_paused -> napi_disable()
	:: else
	fi;
	atomic { dropped = (counts -> dropped + waiting : dropped); waiting = 0 }
	if
	:: is_paused ->
		atomic { sched = false; missed = false };
		if
		:: is_rescheduled -> atomic { schedule(1) }
		:: else
		fi
	:: else
	fi
}

active proctype Admin()
{
	atomic { run Softirq(0); run Softirq(1) };
	if
	/* One that has packets here: it receives nothing any more. */
	:: atomic { readers == 0 -> hooked = false }; purge(); has_device = false;
		assert(waiting == 0)
	/* Another one. Packets of the first come and wait meanwhile. */
	:: napi_disable(); atomic { sched = false; missed = false };
		if
		:: is_rescheduled -> atomic { schedule(1) }
		:: else
		fi
	:: true
	fi;
	/* Hooks::drop(): nothing is added but to what waits. Then the hooks go. */
	if
	:: is_drained -> waiting == 0
	:: else
	fi;
	atomic { hooked = false };
	readers == 0;
	if
	:: is_drained -> waiting == 0
	:: else
	fi;
	/* Stages::drop(). */
	if
	:: is_stopped -> napi_disable()
	:: else
	fi;
	readers == 0;
	freed = true;
	assert(taken == served + dropped)
}
