#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Who may change and who may read what, and what a container's root can do to others.
# The claims are those of SECURITY.md.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

user=65534
log_mark "security"

# as_user COMMAND...: without privileges on the host. as_container: as root in a user, a
# network and a mount namespace of its own, made by that user.
as_user() { env -C / setpriv --reuid $user --regid $user --clear-groups "$@"; }
as_container() { as_user unshare --user --map-root-user --net --mount "$@"; }

# can_do: what of all this succeeds, one line each, and how many files there are. For bash -s, in which
# DIRS are the directories.
read -r -d '' can_do <<-'END'
	shopt -s nullglob
	seen=0
	for dir in $DIRS; do
		for file in $(find $dir -type f 2>/dev/null); do
			seen=$((seen + 1))
			{ echo 1 >$file; } 2>/dev/null && echo "write $file"
		done
		for dir in $(find $dir -type d 2>/dev/null); do
			mkdir $dir/mine 2>/dev/null && echo "mkdir $dir/mine"
			rmdir $dir/flow 2>/dev/null && echo "rmdir $dir/flow"
		done
		chmod -R a+w $dir 2>/dev/null && echo "chmod $dir"
		chown -R 0 $dir 2>/dev/null && echo "chown $dir"
	done
	echo "seen $seen"
END

# refused DESCRIPTION COMMAND...: as whoever COMMAND makes one, nothing can be changed.
refused() {
	local what=$1
	shift
	matches "$what can change nothing" "$(DIRS="${dirs:-$PRISM $CONFIG}" "$@" bash -c "$can_do" 2>&1)" '^seen [1-9][0-9]*$'
	equal "$what has changed nothing" "$(settings)" "$settings_before"
}

settings() {
	grep -rs . "$PRISM" "$CONFIG" --exclude-dir=stats --exclude=packets --exclude=bytes
}

# modes_but MODE DIR NAME...: files there with other permissions or of another owner, but
# for these.
modes_but() {
	local mode=$1 dir=$2 name args=()
	shift 2

	for name; do
		args+=(! -name "$name")
	done
	find "$dir" -maxdepth 1 -type f "${args[@]}" ! '(' -perm "$mode" -user 0 -group 0 ')' -printf '%p %m %u\n'
}

underlay
overlay_bridge
# Without a rule it could be.
matches "a user cannot unload the module" "$(as_user "$(type -P rmmod)" prism 2>&1)" 'Operation not permitted'
high flow vni=100 protocol=udp "destination=$c1_ip" destination_port=5001

# Files.
equal "counters are for everyone to read" "$(modes_but 0444 "$PRISM"/stats)" ""
equal "knobs are for root to write" "$(modes_but 0644 "$PRISM" devices receivers)" ""
equal "names of devices are for root to read" "$(stat -c '%a %u %g' "$PRISM"/devices)" "600 0 0"
equal "a rule is for root to read and to write" "$(modes_but 0600 "$RULES"/flow packets bytes dropped)" ""
equal "its counters are for root to read" "$(stat -c '%a %u %g' "$RULES"/flow/{packets,bytes,dropped} | sort -u)" "400 0 0"
equal "directories are for root to write" \
	"$(find "$PRISM" "$CONFIG" -type d ! '(' -perm 0755 -user 0 -group 0 ')')" ""

# What everyone may read is a number or a word, and no address or port.
equal "what everyone may read tells of no flow" \
	"$(as_user grep -rhs . "$PRISM" "$CONFIG" | grep -vxE '[0-9]+|none|off|sync|batch|express|high|interactive|normal|bulk' | sort -u)" ""
equal "names of rules are for everyone to see" "$(as_user ls "$RULES")" flow
equal "nobody but root reads a rule" "$(as_user grep -rls . "$CONFIG")" ""

# Who changes them.
settings_before=$(settings)
at_least "there is something to change" "$(wc -l <<<"$settings_before")" 20
refused "a user" as_user
refused "root of a container with the host's mounts" as_container
refused "the same without CAP_NET_ADMIN" as_container setpriv --bounding-set=-net_admin
dirs="/mnt/sysfs/kernel/prism /mnt/sysfs/kernel/config/prism"
mkdir -p /run/selftests.mnt
chmod 755 /run/selftests.mnt
own_mounts="mount -t tmpfs none /mnt && mkdir /mnt/sysfs /mnt/bound /mnt/configfs && mount -t sysfs none /mnt/sysfs"
# shellcheck disable=SC2016
refused "with a sysfs of its own it" as_container bash -c "$own_mounts"' && exec "$@"' -
dirs="/mnt/bound"
# shellcheck disable=SC2016
for what in "$PRISM" "$CONFIG"; do
	refused "with a bind mount of $what it" as_container \
		bash -c "$own_mounts && mount --bind $what /mnt/bound && { mount -o remount,rw,bind /mnt/bound || :; }"' && exec "$@"' -
done
dirs=
equal "a sysfs of its own shows totals, and no device of another namespace" \
	"$(as_container bash -c "$own_mounts && cd /mnt/sysfs/kernel/prism && cat mode; cat devices 2>/dev/null; cd /mnt/sysfs/class/net && echo nic* lo*")" \
	"off"$'\n'"nic* lo"
equal "no configfs of its own can be mounted" \
	"$(as_container bash -c "$own_mounts; mount -t configfs none /mnt/configfs 2>/dev/null && echo mounted")" ""
equal "nor is one in its sysfs" \
	"$(as_container bash -c "$own_mounts; ls /mnt/sysfs/kernel/config")" ""
check "root of the host can" bash -c "echo sync >$PRISM/mode && echo 0 >$RULES/flow/enabled && rmdir $RULES/flow"

# A VXLAN port that a container opens means nothing to what the host receives.
high host vni=none protocol=udp destination_port=5001
high flow vni=100 protocol=udp "destination=$c1_ip" destination_port=5001
# host_flow WHO: the host's flow to that port is of class high.
host_flow() {
	counters
	wire udp --from remote --source "$peer_ip" --destination "$host_ip" --count 20
	udp4 --count 20
	counted
	arrived "a flow while $1 has its port for VXLAN"
	moved
	equal "a flow while $1 has its port for VXLAN is of class high" "${delta[classified]}" 40 "$REPLY"
}
host_flow nobody
as_container bash -c "ip link add vx type vxlan id 1 dstport 5001 && ip link set vx up && echo \$\$ && exec sleep 1000" \
	>/run/selftests.container 2>/dev/null &
check "a container opens a VXLAN port" wait_for 60 test -s /run/selftests.container
host_flow "a container"
# Nor to what a NIC receives in another namespace than the initial one.
if has_nic 2; then
	in_ns '' <<-END
		netns add c3
		link set nic2 netns c3
	END
	address nic2 c3 192.168.12.1 fd00:12::1
	address nic3 remote 192.168.12.2 fd00:12::2
	# Both ends learn addresses; until then even the kernel does not keep the order.
	wire udp --from remote --to c3 --source 192.168.12.2 --destination 192.168.12.1 --count 3
	counters
	wire udp --from remote --to c3 --source 192.168.12.2 --destination 192.168.12.1 --count 20
	counted
	arrived "a flow to another namespace's NIC while a container has its port for VXLAN"
	equal "it is of class high" "${delta[classified]}" 20
	in_ns c3 <<<"link set nic2 netns 1"
else
	skip "a NIC in another namespace" "no second NIC"
fi
kill "$(</run/selftests.container)"
ip netns exec c2 ip link add vx type vxlan id 100 dstport 5001 local "$c1_ip"
ip netns exec c2 ip link set vx up
host_flow "a namespace of the host's"
ip netns exec c2 ip link del vx
# Nor does the very port and network of the host's tunnel.
ip netns exec c2 ip link add vx type vxlan id 100 dstport 4789
ip netns exec c2 ip link set vx up
for mode in sync express; do
	mode $mode
	udp4 --count 20
	arrived "mode $mode: a flow while another namespace has its tunnel"
	read -r foreign < <(ip netns exec c2 cat /sys/class/net/vx/statistics/rx_packets)
	equal "mode $mode: nothing of it comes there" "$foreign" 0
done
ip netns exec c2 ip link del vx
mode sync
remove_rules

# What a sender writes into its packets changes its class only where a rule says so.
rule bulk vni=100 protocol=udp destination_port=5002 class=bulk
for tos in 0 184; do
	counters
	udp4 --count 20 --port 5002 --tos $tos
	udp4 --count 20 --port 5003 --tos $tos
	counted
	equal "TOS $tos makes nothing of class high" "${delta[classified]} ${delta[completed]}" "20 0"
done
high named vni=100 protocol=udp destination_port=5003 dscp=ef
counters
udp4 --count 20 --port 5003 --tos 184
udp4 --count 20 --port 5003 --tos 0
counted
equal "it does where a rule names it" "${delta[completed]}" 20
remove_rules

# What one container sends to another on this host is not looked up, whatever the rules say.
high any protocol=udp destination_port=5001
counters
wire udp --from c2 --to c1 --source "$c2_ip" --destination "$c1_ip" --count 20
counted
arrived "a flow from a neighbour"
equal "it is not classified, and takes no short way" \
	"${delta[classified]} ${delta[unmatched]} ${delta[completed]} ${delta[delivered]}" "0 0 0 0"
udp4 --count 20
counted
equal "the same from elsewhere is" "${delta[classified]}" 20
remove_rules

# Who exceeds its rate, or sends to a neighbour's, takes nothing from others.
for mode in sync express; do
	mode $mode
	for isolate in 0 1; do
		isolate $isolate
		high greedy vni=100 protocol=udp destination_port=5002 rate=10
		high modest vni=100 protocol=udp destination_port=5001 rate=100000
		background greedy udp --from remote --to c1 --source "$remote_ip" --destination "$c1_ip" \
			--source-port 41000 --port 5002 --count 0 --window 16
		counters
		udp4 --count 40 --window 1
		counted
		read -r packets <"$RULES"/modest/packets
		arrived "mode $mode, isolate $isolate: a flow beside one that exceeds its rate"
		ended greedy
		at_least "mode $mode, isolate $isolate: that one is demoted" "${delta[demoted]}" 1
		equal "mode $mode, isolate $isolate: the flow has its rule" "$packets" 40
		at_least "mode $mode, isolate $isolate: and runs to completion" "${delta[completed]}" 40
		arrived "mode $mode, isolate $isolate: what exceeds the rate is not lost"
		remove_rules
		isolate 0
	done
done

# The log has room for 100 lines in a second, of those that a user causes. The file is
# opened once, as a slow host would refuse less than that otherwise.
log_mark "many"
start=${EPOCHREALTIME/./}
for ((i = 0; i < 1500; i++)); do
	echo nonsense >&3
done 3>"$PRISM"/mode 2>/dev/null
seconds=$(((${EPOCHREALTIME/./} - start) / 1000000 + 2))
lines=$(log_since "many" | grep -c 'prism: .*nonsense')
at_least "what is refused is in the log" "$lines" 1
at_most "of 1500 values no more than 100 in a second are in the log" "$lines" $((seconds * 100))
at_most "which is less than all" "$lines" 1499
note "$lines lines in less than $seconds s"

equal "the log says nothing of packets" \
	"$(log_since "security" | grep 'prism: ' | grep -E "[0-9]+\.[0-9]+\.[0-9]+|fd00|02:00:00")" ""
finish
