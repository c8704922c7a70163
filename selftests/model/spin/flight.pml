/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The packet in flight: a CPU runs it to completion in one chain of calls, in which others are met.
 *
 * Models: the hooks of prism/datapath.rs, as the calls of one CPU nest.
 *   - Shared::receive() behind the driver: is_busy(), Frame::run_to_completion();
 *   - ReceiveTunnel::receive() at the VXLAN socket: is_in(), which is holds() and may_decapsulate(),
 *     takes_into_flight() and TunnelPacket::fly(), decapsulate();
 *   - TransmitPacket::transmit() at the host's end of a veth: is_in(), EgressPacket::deliver() with finish();
 *     prism_egress in rust/helpers has it ask for an interface before.
 * Memory of a packet that was freed is that of the next one which is made: that is a reply of a socket,
 * which has no receiving interface, a clone, or a frame of another device that the chain of calls
 * happens to receive. The kernel may drop the packet in flight at any place.
 *
 * Property: a hook takes a packet out of its tunnel, or across to a container, only if this run has set
 * that very packet in flight; it takes it out of a tunnel once, and delivers once, so that no more
 * than one nested delivery is on the stack; nothing is in flight when the outermost call has returned.
 *
 * Leaves out: batches, which receive from their queues and not nested; the driver's own decapsulation.
 *
 * Each BREAK_x is a bug that has to be found: see spin.sh.
 */
#define NOTHING	0
/* What finish() sets: no packet's address. */
#define DANGLING	3
/* The packet in flight and any other have the addresses 1 and 2. */

/* Where the packet of the innermost call is. */
#define ENTRY	0
#define SOCKET	1
#define EGRESS	2

#ifdef BREAK_NOT_FINISHED
#define is_finished	false
#else
#define is_finished	true
#endif
#ifdef BREAK_NO_INTERFACE_ASKED
#define asks_interface	false
#else
#define asks_interface	true
#endif
#ifdef BREAK_NOT_BUSY
#define asks_busy	false
#else
#define asks_busy	true
#endif
#ifdef BREAK_DECAPSULATES_AGAIN
#define asks_decapsulated	false
#else
#define asks_decapsulated	true
#endif
#ifdef BREAK_NOT_CLEARED
#define is_cleared	false
#else
#define is_cleared	true
#endif

/* rust/inflight.rs: Cell. */
byte cell;
bool is_decapsulated;

/* What is true of the packet that the outermost run has set. */
bool runs, lives;
byte address, tunnels, deliveries;

inline run_as(packet)
{
	assert(!runs);
	cell = packet; is_decapsulated = false;
	runs = true; lives = true; address = packet; tunnels = 0; deliveries = 0
}

/* What a hook met is the packet of this run. */
#define is_this	(is_own && runs && lives)

active proctype Cpu()
{
	byte packet, at, steps;
	/* The packet is that which was received first, and has a receiving interface. */
	bool is_own, was_received;

	do
	:: steps = 0;
		/* A driver's poll, or GRO's end with what was merged. */
		select(packet : 1 .. 2);
		is_own = true; was_received = true;
		assert(cell == NOTHING);
		if
		:: true -> run_as(packet)
		:: true ->
			if
			:: cell == NOTHING -> run_as(packet)
			:: else -> assert(false)
			fi
		fi;
		do
		/* The chain of calls goes on, with the packet or with another. */
		:: steps < 7 ->
			steps++;
			if
			/* The kernel drops it, or a socket has it. */
			:: is_own && lives -> lives = false
			:: true
			fi;
			if
			:: lives -> packet = address; is_own = true; was_received = true
			/* Another one, in its memory if it is gone. */
			:: true ->
				is_own = false;
				packet = (lives -> 3 - address : address);
				/* What was received is met in this chain only while the first lives. */
				if
				:: was_received = false
				:: lives -> was_received = true
				fi
			fi;
			select(at : ENTRY .. EGRESS);
			if
			/* Frames that a device hands to GRO, or to its ingress hook, inside the run. */
			:: at == ENTRY && was_received && !is_own ->
				if
				:: asks_busy && cell != NOTHING
				:: else -> run_as(packet)
				fi
			:: at == SOCKET && (was_received || !is_own && lives) ->
				if
				:: cell == packet && (!asks_decapsulated || !is_decapsulated) ->
					assert(is_this);
					tunnels++;
					assert(tunnels == 1);
					is_decapsulated = true
				/* takes_into_flight() */
				:: !asks_busy || cell == NOTHING -> run_as(packet)
				:: else
				fi
			:: at == EGRESS ->
				if
				:: cell == packet && (was_received || !asks_interface) ->
					assert(is_this);
					deliveries++;
					assert(deliveries == 1);
					if
					:: is_finished -> cell = DANGLING
					:: else
					fi
				:: else
				fi
			:: else
			fi
		:: break
		od;
		/* The outermost call returns. */
		if
		:: is_cleared -> cell = NOTHING
		:: else
		fi;
		runs = false; lives = false; is_own = false; packet = 0; at = 0; address = 0;
		tunnels = 0; deliveries = 0
	od
}
