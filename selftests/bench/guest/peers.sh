# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
#
# What is measured. Each peer has a function that begins it, which says why where
# it cannot, and one that ends it.

programs=/sys/fs/bpf/peers

begin_vanilla() { :; }
end_vanilla() { :; }

begin_threaded() { echo 1 >/sys/class/net/sim0/threaded; }
end_threaded() { echo 0 >/sys/class/net/sim0/threaded; }

# The same traffic to sockets of the host, without an overlay.
begin_host() { :; }
end_host() { :; }

load_programs() {
	local name index bytes

	mkdir -p $programs/maps
	bpftool prog loadall "$SELFTESTS/bin/peers.o" $programs pinmaps $programs/maps || return
	for name in "${containers[@]}"; do
		read -r index </sys/class/net/"$name"h/ifindex
		read -r -a bytes <<<"${mac[$name]//:/ } 00 00"
		bpftool map update pinned $programs/maps/containers key hex "${bytes[@]}" \
			value $((index & 255)) $((index >> 8)) 0 0 || return
	done
}

attach() {
	load_programs && tc qdisc add dev "$1" clsact &&
		tc filter add dev "$1" ingress bpf direct-action object-pinned "$programs/$2"
}

detach() {
	tc qdisc del dev "$1" clsact
	rm -r $programs
}

begin_ebpf-peer() { attach vx100 on_vxlan; }
end_ebpf-peer() { detach vx100; }
begin_ebpf-nic() { attach sim0 on_nic; }
end_ebpf-nic() { detach sim0; }

# PRISM, with rules for the flows that have a class.
begin_sync() { begin_prism sync flow_rules; }
end_sync() { end_prism; }
begin_express() { begin_prism express flow_rules; }
end_express() { end_prism; }
begin_batch() { begin_prism batch flow_rules; }
end_batch() { end_prism; }

# The same with isolation from the NIC's stage on.
begin_off-isolated() { begin_prism off flow_rules isolate=1; }
end_off-isolated() { end_prism; }
begin_sync-isolated() { begin_prism sync flow_rules isolate=1; }
end_sync-isolated() { end_prism; }
begin_express-isolated() { begin_prism express flow_rules isolate=1; }
end_express-isolated() { end_prism; }

# And bulk traffic on the short way, once it is its turn.
begin_express-bulk() { begin_prism express flow_rules isolate=1 accelerate=bulk; }
end_express-bulk() { end_prism; }

# Without the rules of the scenario that name other flows.
begin_one-rule() { extra_rules=0 begin_prism sync flow_rules; }
end_one-rule() { end_prism; }

# PRISM there, and no rule.
begin_loaded() { begin_prism sync :; }
end_loaded() { end_prism; }

# PRISM there, and rules that name nothing that comes.
begin_unmatched() { begin_prism sync other_rules; }
end_unmatched() { end_prism; }

# begin_prism MODE FUNCTION [KNOB=VALUE...]: with the rules that FUNCTION makes. The
# mode comes last: nothing of the rest changes while packets are handled. Rules that are
# new cost packets a second lookup for 200 ms.
begin_prism() {
	local mode=$1 make_rules=$2 knob
	shift 2

	insmod "$SELFTESTS/prism.ko" && "$make_rules" || return
	for knob in "$@" "mode=$mode"; do
		set_knob "${knob%%=*}" "${knob#*=}" || return
	done
	sleep 0.5
}

# set_knob NAME VALUE: says why it cannot be.
set_knob() {
	[ -e "$PRISM/$1" ] || { echo "this module has no $PRISM/$1"; return 1; }
	echo "$2" 2>/dev/null >"$PRISM/$1" ||
		{ echo "$1=$2 is refused: $(dmesg | tail -n 1 | sed 's/^.*prism: //')"; return 1; }
}

end_prism() {
	remove_rules
	rmmod prism
}

# So many as the scenario wants, all of one shape.
other_rules() {
	[ "$extra_rules" = 0 ] || "$WIRE" rules add --count "$extra_rules" --name other vni=4095 \
		protocol=udp 'destination=10.{high}.{low}.1/32' 'destination_port={port}' enabled=1
}

# The rules that name the flows, beside the others. Flows to one place are of one
# class.
flow_rules() {
	local line class to limit rest rule

	other_rules || return
	for line in "${flows[@]}"; do
		read -r _ class _ to limit rest <<<"$line"
		rule=$to-$(protocol_of "$rest")
		if [ "$class" = normal ] || [ -d "$RULES/$rule" ]; then
			continue
		fi
		rule "$rule" "vni=$(vni_of "$to")" "protocol=$(protocol_of "$rest")" \
			"destination=${ip[$to]}/32" "destination_port=${port[$to]}" \
			"class=$class" "rate=$limit" || return
	done
}

protocol_of() {
	case $1 in
	*protocol=tcp*) echo tcp ;;
	*) echo udp ;;
	esac
}

vni_of() {
	case $1 in
	h*) echo none ;;
	*) echo 100 ;;
	esac
}
