# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The kernel's own tracepoints as witnesses of a packet's way.

trace_dir=/sys/kernel/tracing/instances/selftests

# trace_on EVENT...: starts to record, into an instance of our own. Of an event that has a filter behind
# it, `skb:kfree_skb if protocol == 2048`, those that this lets through.
trace_on() {
	local event filter

	[ -d $trace_dir ] || mkdir $trace_dir
	echo 0 >$trace_dir/tracing_on
	: >$trace_dir/trace
	echo 4096 >$trace_dir/buffer_size_kb
	: >$trace_dir/set_event
	for event; do
		filter=0
		[ "$event" = "${event%% if *}" ] || filter=${event#* if }
		event=${event%% if *}
		echo "$filter" >"$trace_dir/events/${event/://}/filter"
		echo "$event" >>$trace_dir/set_event
	done
	echo 1 >$trace_dir/tracing_on
}

trace_off() { echo 0 >$trace_dir/tracing_on; }

trace_remove() {
	[ ! -d $trace_dir ] || rmdir $trace_dir
}

receive_events=(net:netif_rx net:napi_gro_receive_entry net:netif_receive_skb)

# ways LEN DEVICE...: how the packets of LEN bytes (their network header's
# length) came to the last of the devices, in the words
#   queued   packets that waited in the CPU's backlog for the last device
#   cells    packets that waited in the gro_cells of the VXLAN device
#   received packets that the last device received
#   straight of these, those that went from device to device without another
#            packet being received on that CPU in between
ways() {
	local len=$1
	shift

	awk -v len="$len" -v names="$*" '
	BEGIN { n = split(names, device, " "); last = device[n]; queued = cells = received = straight = 0 }
	/^#/ { next }
	{
		cpu = $2
		for (i = 1; i <= NF; i++)
			if ($i ~ /^[a-z_]+:$/) { event = $i; break }
		split("", value)
		for (; i <= NF; i++)
			if ((at = index($i, "=")) > 1) value[substr($i, 1, at - 1)] = substr($i, at + 1)
		dev = value["dev"]
		size = value["len"] + 0
	}
	event == "netif_rx:" && dev == last && size == len { queued++ }
	event == "napi_gro_receive_entry:" && dev ~ /^vx/ && size == len { cells++ }
	event == "netif_receive_skb:" {
		step = at_step[cpu]
		# The same packet at the next device, or a new packet at the first.
		if (dev == device[step + 1] && (step == 0 || value["skbaddr"] == skb[cpu])) step++
		else step = (dev == device[1])
		skb[cpu] = value["skbaddr"]
		if (dev == last && size == len) {
			received++
			if (step == n) straight++
		}
		at_step[cpu] = (step == n) ? 0 : step
	}
	END { print "queued=" queued, "cells=" cells, "received=" received, "straight=" straight }
	' $trace_dir/trace
}

# bpf_count OBJECT NAME: a variable of a BPF program that is loaded.
bpf_count() { bpftool -j map dump name "$1.bss" | jq "[.[0].formatted.value[\".bss\"][]] | add | .$2"; }
