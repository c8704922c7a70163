#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The NIC of the measurements: what arrives at it is received or counted as lost,
# and what it is told is checked.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

nics=/sys/kernel/config/simnic/nics
nic=$nics/sim0
plain="source=192.168.11.2 destination=192.168.11.1"
plain6="source=fd00:11::2 destination=fd00:11::1"

# traffic MS: until all of it has arrived.
traffic() {
	echo "$1" >$nic/duration_ms
	echo 1 >$nic/running
	wait_for 20 is_over
	pause 0.1
}

# all_arrives MS SINKS FLOW...: traffic of which nothing is lost in the ring, to what the function SINKS
# opens. The ring runs over where the guest's processor was not there for a while, which does not
# happen thrice.
all_arrives() {
	local flow n missed

	for ((n = 0; n < 3; n++)); do
		"$2"
		read -r missed </sys/class/net/sim0/statistics/rx_missed_errors
		traffic "$1"
		[ "$(</sys/class/net/sim0/statistics/rx_missed_errors)" != "$missed" ] || break
	done
	for flow in "${@:3}"; do
		read -r sent received ring <<<"$(figures "$flow")"
		equal "flow $flow: all is received" "${received-} ${ring-}" "${sent-none} 0"
	done
}

# is_over [NIC]
is_over() { [ "$(<"$nics/${1-sim0}/running")" = 0 ]; }

# figures FLOW [NIC]: what was sent, received and lost in the ring.
figures() {
	sed -n "s/^flow $1 sent \([0-9]*\) received \([0-9]*\) ring \([0-9]*\) .*/\1 \2 \3/p" \
		"/sys/kernel/debug/simnic/${2-sim0}/results"
}

datagrams() {
	echo none >$nic/sinks
	echo "192.168.11.1 5001" >$nic/sinks
	echo "fd00:11::1 5001" >$nic/sinks
}

# A connection begins with its flow.
connections() {
	datagrams
	echo "192.168.11.1 5002 tcp 192.168.11.2 40000 1000" >$nic/sinks
	echo "fd00:11::1 5002 tcp fd00:11::2 40000 1400" >$nic/sinks
}

results=/sys/kernel/debug/simnic/sim0/results
modprobe -aq udp_tunnel ip6_udp_tunnel
insmod "$SELFTESTS"/../simnic.ko || { fail "simnic loads" "$(dmesg | tail -n 3)"; finish; }
mkdir $nic
in_ns '' <<-END
	link set sim0 up
	address add 192.168.11.1/24 dev sim0
	address add fd00:11::1/64 dev sim0 nodad
	neighbor add 192.168.11.2 lladdr 02:00:00:00:fe:01 dev sim0
END

# All that arrives reaches its socket.
echo "four rate=1000 $plain" >$nic/flows
echo "six rate=500 burst=5 arrivals=random ports=10 size=1000 $plain6" >$nic/flows
all_arrives 400 datagrams four six
for flow in four six; do
	read -r sent received ring <<<"$(figures $flow)"
	at_least "flow $flow arrives" "${sent:-0}" 100
done

# Segments of a connection, which GRO merges, and what else is noted of a flow.
echo none >$nic/flows
echo "tcp4 protocol=tcp rate=2000 burst=20 size=1000 group=20 destination_port=5002 $plain" >$nic/flows
echo "tcp6 protocol=tcp rate=2000 size=1400 note=gap note=jitter note=age destination_port=5002 $plain6" >$nic/flows
all_arrives 400 connections tcp4 tcp6
for flow in tcp4 tcp6; do
	read -r sent received ring <<<"$(figures $flow)"
	at_least "connection $flow: data comes" "${sent:-0}" 500
done
equal "what else is noted is told" "$(sed -n 's/^note \([a-z]*\) .*/\1/p' $results | xargs)" "group gap jitter age"
longest=$(sed -n 's/^note gap .* longest //p' $results)
at_least "a gap is as long as the distance of arrivals" "${longest:-0}" 490000
at_least "what is received is acknowledged" "$(</sys/class/net/sim0/statistics/tx_packets)" 10

# More than the ring holds at once is lost there, and counted.
echo none >$nic/flows
echo "burst rate=100000 burst=2000 $plain" >$nic/flows
read -r missed </sys/class/net/sim0/statistics/rx_missed_errors
traffic 15
read -r sent received ring <<<"$(figures burst)"
at_least "a burst of 2000 comes" "${sent:-0}" 2000
at_least "the ring of 1024 loses some of it" "${ring:-0}" 900
equal "what is not lost is received" "$((received + ring))" "$sent"
read -r now </sys/class/net/sim0/statistics/rx_missed_errors
equal "the device counts what was lost" $((now - missed)) "$ring"

# PRISM takes its packets as those of any NIC.
high sim vni=none protocol=udp "destination=192.168.11.1"
mode sync
counters
echo none >$nic/flows
echo "four rate=1000 $plain" >$nic/flows
traffic 100
counted
read -r sent received _ <<<"$(figures four)"
equal "with PRISM all is received, and run to completion" "$received ${delta[completed]}" "$sent $sent"

# A second NIC has flows, sockets and results of its own, at the same time.
mkdir $nics/sim1
in_ns '' <<-END
	link set sim1 up
	address add 192.168.13.1/24 dev sim1
	neighbor add 192.168.13.2 lladdr 02:00:00:00:fe:02 dev sim1
END
echo "192.168.13.1 5001" >$nics/sim1/sinks
echo "other rate=2000 source=192.168.13.2 destination=192.168.13.1" >$nics/sim1/flows
echo 300 >$nics/sim1/duration_ms
echo none >$nic/flows
echo "four rate=1000 $plain" >$nic/flows
echo 1 >$nics/sim1/running
equal "a second NIC runs" "$(<$nics/sim1/running)" 1
traffic 300
wait_for 20 is_over sim1
pause 0.1
read -r sent received _ <<<"$(figures four)"
read -r sent1 received1 _ <<<"$(figures other sim1)"
at_least "each of two NICs has its traffic" "${sent:-0}" 250
at_least "and so has the other" "${sent1:-0}" 500
equal "both receive all of their own" "${received-} ${received1-}" "${sent-none} ${sent1-none}"
equal "no NIC tells of another's flows" "$(cat /sys/kernel/debug/simnic/sim?/results | grep -c '^flow ')" 2
rmdir $nics/sim1
check "the first NIC stays" test -d /sys/class/net/sim0

# What is wrong is refused, and the old state kept.
refused() {
	equal "$1 is refused" "$(errno write "$nic/$2" "$3")" "${4:-EINVAL}"
}
for name in sim0123456789abc:ENAMETOOLONG sim%d:EINVAL lo:EEXIST; do
	equal "a NIC ${name%:*} is refused" "$(errno mkdir "$nics/${name%:*}")" "${name#*:}"
done
refused "a flow without a rate" flows "x $plain"
refused "a flow of two families" flows "x rate=1 source=::1 destination=10.0.0.1"
refused "a key there is none of" flows "x rate=1 speed=1 $plain"
refused "a good flow before a bad one" flows "y rate=1 $plain"$'\n'"x $plain"
refused "a sink without a port" sinks "192.168.11.1"
refused "a connection without a peer" sinks "192.168.11.1 5003 tcp"
refused "a connection of two families" sinks "192.168.11.1 5003 tcp fd00:11::2 40000 1000"
refused "a connection without bytes" sinks "192.168.11.1 5003 tcp 192.168.11.2 40000 0"
refused "a connection that leads nowhere" sinks "192.168.11.1 5003 tcp 10.255.0.1 40000 1000" ENETUNREACH
refused "a connection from elsewhere" sinks "192.168.12.1 5003 tcp 192.168.11.2 40000 1000" EADDRNOTAVAIL
refused "a sink where there is one" sinks "192.168.11.1 5001" EADDRINUSE
refused "a duration of nothing" duration_ms 0
refused "running for ever" running 2
equal "the flow is still there" "$(<$nic/flows)" "four rate=1000 $plain"
# So long that it is not over where the processor has no time for anybody else.
echo 60000 >$nic/duration_ms
echo 1 >$nic/running
refused "a second traffic" running 1 EBUSY
echo 0 >$nic/running
equal "a traffic ends when it is told to" "$(<$nic/running)" 0
in_ns '' <<<"link set sim0 down"
refused "traffic for a NIC that is down" running 1 ENETDOWN
in_ns '' <<<"link set sim0 up"

# Who asks whether it runs does not hold up what is to come.
echo none >$nic/flows
echo "asked rate=20000 $plain" >$nic/flows
asking=()
for _ in 1 2; do
	while :; do is_over sim0; done &
	asking+=($!)
done
scale 3000 1000
traffic "$REPLY"
kill "${asking[@]}"
wait "${asking[@]}" 2>/dev/null
equal "a traffic that is asked after all the time ends" "$(<$nic/running)" 0

# It goes with everything it has, under traffic.
echo 5000 >$nic/duration_ms
echo 1 >$nic/running
pause 0.2
rmdir $nic
check "the module unloads" rmmod simnic
finish
