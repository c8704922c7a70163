# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# A NIC of simnic's, sim0, whose traffic a test describes. Behind it is nobody.

sim=/sys/kernel/config/simnic/nics/sim0
sim_results=/sys/kernel/debug/simnic/sim0/results
sim_ip=192.168.11.1 sim_peer_ip=192.168.11.2

# sim_load: loads the module, or ends the test.
sim_load() {
	modprobe -aq udp_tunnel ip6_udp_tunnel
	insmod "$SELFTESTS"/../simnic.ko || { fail "simnic loads" "$(dmesg | tail -n 3)"; finish; }
}

# sim_up: makes the NIC.
sim_up() {
	mkdir $sim
	in_ns '' <<-END
		link set sim0 up
		address add $sim_ip/24 dev sim0
		neighbor add $sim_peer_ip lladdr 02:00:00:00:fe:01 dev sim0
	END
}

# sim_sink NAMESPACE LINE: a socket or a connection there.
sim_sink() { echo "$2" | nsenter --net="/run/netns/$1" tee $sim/sinks >/dev/null; }

# sim_traffic MS: until all of it has arrived and been served.
sim_traffic() {
	echo "$1" >$sim/duration_ms
	echo 1 >$sim/running
	wait_for 30 sim_is_over
	pause 0.2
}

sim_is_over() { [ "$(<$sim/running)" = 0 ]; }

# sim_flow NAME: what was sent, received and lost in the ring of that flow.
sim_flow() {
	sed -n "s/^flow $1 sent \([0-9]*\) received \([0-9]*\) ring \([0-9]*\) .*/\1 \2 \3/p" $sim_results
}

# sim_down: takes the NIC away, and the module.
sim_down() {
	echo none >$sim/sinks
	rmdir $sim
	check "the NIC's module unloads" rmmod simnic
}
