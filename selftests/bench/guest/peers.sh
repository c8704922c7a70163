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

begin_sync() { begin_prism sync flow_rules; }
end_sync() { end_prism; }

# PRISM there, and no rule.
begin_loaded() { begin_prism sync :; }
end_loaded() { end_prism; }

# PRISM there, and rules that name nothing that comes.
begin_unmatched() { begin_prism sync other_rules; }
end_unmatched() { end_prism; }

# begin_prism MODE FUNCTION: with the rules that FUNCTION makes.
begin_prism() { insmod "$SELFTESTS/prism.ko" && "$2" && echo "$1" >"$PRISM"/mode; }

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
