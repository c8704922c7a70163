# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What changes in tests/soak.sh. Each change is noted in `changes`, and counted by its
# kind in `kinds`.

declare -A kinds guest_pid guest_loses counts base_counts
changes=() may_lose=
what_counts=(completed held served)
kept_long || what_counts+=(expressed)
losses=(dropped dropped_high dropped_interactive dropped_normal dropped_bulk dropped_held purged)

# What may change, the usual more often than what takes long.
menu=(mode mode mode isolate isolate accelerate knobs knobs knobs rules rules rules crowd guest guest guest guest
	network network vxlan bridge entry gro cpu cpu module)

# change: something, at random.
change() {
	local kind

	pick "${menu[@]}"
	kind=$REPLY
	changes+=("$kind")
	kinds[$kind]=$((${kinds[$kind]-0} + 1))
	"change_$kind" || fail "change $kind works" "status $?" "${changes[*]}"
	pause 0.0$((RANDOM % 6))
}

change_mode() {
	pick off batch sync express
	changes+=("$REPLY")
	mode "$REPLY"
}

change_isolate() { isolate $((RANDOM % 2)); }

change_accelerate() {
	pick high interactive normal bulk
	knob accelerate "$REPLY"
}

change_knobs() {
	local name

	pick quantum=1 quantum=64 quantum=7 recent_us=0 recent_us=5000 recent_us=10000000 weight_interactive=1 \
		weight_normal=9 weight_bulk=100 high_share=1 high_share=20 high_share=100 receiver_slice_us=0 \
		receiver_slice_us=100 receiver_slice_us=3000 priority_high=off priority_high=6 limit_bytes=10000000
	name=$REPLY
	changes+=("$name")
	knob "${name%=*}" "${name#*=}"
}

# make_rules: for the flows, and one that stays.
make_rules() {
	high four vni=100 protocol=udp "destination=$c1_ip" &&
		high six vni=100 protocol=udp "destination=$c1_ip6" &&
		high tcp vni=100 protocol=tcp &&
		high guest vni=100 protocol=udp "destination=${c1_ip%.*}.64/26" &&
		high network vni=200 &&
		high simhigh vni=none protocol=udp destination_port=6001 &&
		rule simsome vni=none protocol=udp destination_port=6002 class=interactive &&
		rule simmuch vni=none protocol=udp destination_port=6003 class=bulk &&
		high other vni=101
}

# A rule has another class, another rate, or is gone for a while.
change_rules() {
	local dir

	pick four six tcp guest network simhigh simsome simmuch
	dir=$RULES/$REPLY
	echo 0 >"$dir"/enabled || return
	pick high high interactive normal bulk
	echo "$REPLY" >"$dir"/class
	pick 0 0 0 200
	echo "$REPLY" >"$dir"/rate
	[ $((RANDOM % 4)) = 0 ] || echo 1 >"$dir"/enabled
}

change_crowd() {
	"$WIRE" rules add --count 40 --name crowd vni=100 protocol=udp 'destination_port={port}' class=high enabled=1 >/dev/null &&
		"$WIRE" rules remove --count 40 --name crowd >/dev/null
}

# A container that comes with a flow, or goes, while packets of it are under way or not.
change_guest() {
	local name=k$((1 + RANDOM % 3))

	if [ -n "${guest_pid[$name]-}" ]; then
		guest_leaves $name
		return
	fi
	together neighbour $name $((32 + ${name#k})) $((64 + ${name#k})) &&
		guest_flow $name "$remote_ip" "${c1_ip%.*}.$((64 + ${name#k}))"
}

guest_window=8 guest_patience=300
# guest_flow NAME SOURCE DESTINATION: until its way goes, or before, when it waits for as
# long as it takes.
guest_flow() {
	local patience=10000

	guest_loses[$1]=$((RANDOM % 2))
	[ "${guest_loses[$1]}" = 0 ] || patience=$guest_patience
	"$WIRE" udp --from remote --to "$1" --source "$2" --source-port 4100"${1#?}" --port 5009 --destination "$3" \
		--count 0 --window $guest_window --patience $patience >"/run/selftests.$1" 2>&1 &
	guest_pid[$1]=$!
	# A signal that meets the shell in its place would end more than a flow.
	wait_for 10 is_wire $!
}

is_wire() {
	local name=

	read -r name 2>/dev/null </proc/"$1"/comm
	[ "$name" = wire ]
}

# guest_leaves NAME [DEVICE]: no more of its flow is lost than was under way when the
# device went that is on its way, and nothing where the flow ends before.
guest_leaves() {
	local name=$1 limit=0 start=${EPOCHREALTIME/./} device=${2:-${1}h}

	[ "${guest_loses[$name]}" = 0 ] || limit=$guest_window
	changes+=("$name-goes-$limit")
	if [ $limit != 0 ]; then
		in_ns '' <<<"link del $device" || return
	fi
	kill -TERM "${guest_pid[$name]}"
	# Each time that its patience ends, as many are sent again.
	limit=$((limit * (2 + (${EPOCHREALTIME/./} - start) / (guest_patience * 1000))))
	wait "${guest_pid[$name]}"
	unset "guest_pid[$name]"
	ip netns del "$name" || return
	# One that was told to end before it had begun says nothing.
	[ -s "/run/selftests.$name" ] || return 0
	understand "$(<"/run/selftests.$name")"
	[ -z "$may_lose" ] || limit=${got[sent]-0}
	if [ "${got[duplicate]-} ${got[corrupt]-}" != "0 0" ] || [ "${got[lost]}" -gt "$limit" ]; then
		note "$name: at most $limit may be lost: $(<"/run/selftests.$name")"
		return 1
	fi
}

# A network of its own: VXLAN device, bridge and a container.
second_network() {
	vtep_remote 200
	in_ns remote <<<"address add 10.200.0.2/24 dev vx200"
}

change_network() {
	if [ -z "${guest_pid[n1]-}" ]; then
		together network_comes && guest_flow n1 10.200.0.2 10.200.0.11
		return
	fi
	pick n1h vx200 br200
	guest_leaves n1 "$REPLY" || fail "container n1 leaves, with all packets" "${changes[*]}"
	network_goes
}

network_comes() {
	vtep_host 200
	container n1 48
	on_bridge 200 n1
	in_ns n1 <<<"address add 10.200.0.11/24 dev eth0"
}

network_goes() {
	local name

	for name in vx200 br200; do
		[ ! -e /sys/class/net/$name ] || in_ns '' <<<"link del $name"
	done
}

guests_leave() {
	local name

	for name in "${!guest_pid[@]}"; do
		guest_leaves "$name" || fail "container $name leaves, with all packets" "${changes[*]}"
	done
	network_goes
}

change_vxlan() { other_networks; }

change_bridge() {
	in_ns '' <<-END
		link add br9 type bridge
		link add d9 type veth peer name d8
		link set d9 master br9 up
		link set br9 up
		link set c2h master br9
		link set c2h master br100
		link del br9
		link del d9
	END
}

change_entry() {
	pick auto auto auto nic0 lo "nic0 sim0"
	echo "$REPLY" >"$PRISM"/devices
}

change_gro() {
	nic_gro off
	pause 0.02
	nic_gro on
}

# A CPU goes, or comes; the first stays.
change_cpu() {
	local files=(/sys/devices/system/cpu/cpu[1-9]*/online) file cpu

	[ -e "${files[0]}" ] || return 0
	pick "${files[@]}"
	file=$REPLY cpu=${REPLY//[!0-9]/}
	changes+=("$cpu")
	if [ "$(<"$file")" = 1 ]; then
		# It goes while packets wait on it.
		interrupt
		printf '%x\n' $((1 << cpu)) >"/proc/irq/$REPLY/smp_affinity"
		pause 0.02
	fi
	echo $((1 - $(<"$file"))) >"$file"
}

cpus_come() {
	local file

	for file in /sys/devices/system/cpu/cpu[1-9]*/online; do
		[ ! -e "$file" ] || [ "$(<"$file")" = 1 ] || echo 1 >"$file"
	done
}

change_module() {
	add_counts
	base_counts=()
	remove_rules
	rmmod prism && insmod "$SELFTESTS"/../prism.ko && make_rules && change_mode
}

# add_counts: what the module has counted since the last time, to `counts`.
add_counts() {
	local name now

	for name in "${what_counts[@]}" "${losses[@]}"; do
		read -r now <"$PRISM/stats/$name"
		counts[$name]=$((${counts[$name]-0} + now - ${base_counts[$name]-0}))
		base_counts[$name]=$now
	done
}

# lost_so_far: all that the module has counted as lost, in REPLY.
lost_so_far() {
	local name

	REPLY=0
	for name in "${losses[@]}"; do
		REPLY=$((REPLY + ${counts[$name]-0}))
	done
}

# break_something: what flows to c1 need is gone for a moment.
break_something() {
	pick vx100 br100 nic0 c1h
	changes+=("down-$REPLY")
	kinds[down]=$((${kinds[down]-0} + 1))
	in_ns '' <<-END
		link set $REPLY down
		link set $REPLY up
	END
	[ "$REPLY" != nic0 ] || address nic0 '' "$host_ip" "$host_ip6"
}

# sim_start: the NIC of the measurements, with a little of class high and bursts that are
# too many for a small limit.
sim_start() {
	local from="source=$sim_peer_ip destination=$sim_ip" n

	sim_load
	sim_up
	for n in 6001 6002 6003; do
		echo "$sim_ip $n" >"$sim"/sinks
	done
	[ -n "$DEBUG_KERNEL" ] && REPLY=2 || REPLY=10
	echo "high rate=$((REPLY * 10)) arrivals=random seed=1 destination_port=6001 $from" >"$sim"/flows
	echo "some rate=$((REPLY * 20)) burst=10 destination_port=6002 $from" >"$sim"/flows
	echo "much rate=$((REPLY * 100)) burst=100 destination_port=6003 $from" >"$sim"/flows
}
