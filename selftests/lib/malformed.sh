# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Injects groups of frames in several modes and compares everything.

outer=()

# What counts a packet that is dropped or misunderstood. Totals of packets are
# left out, as hosts talk among themselves, and so is what a timer counts.
counters_of_kernel() {
	local dev

	for dev in nic0 vx100 c1h c2h br100; do
		for file in rx_errors rx_dropped rx_frame_errors rx_length_errors rx_crc_errors \
			tx_errors tx_dropped rx_nohandler; do
			read -r REPLY <"/sys/class/net/$dev/statistics/$file"
			echo "$dev $file $REPLY"
		done
	done
	awk -v where=host "$snmp_awk" /proc/net/snmp /proc/net/snmp6
	awk -v where=c1 "$snmp_awk" "/proc/$c1_pid/net/snmp" "/proc/$c1_pid/net/snmp6"
}

# shellcheck disable=SC2016
snmp_awk='
	function counts(key) { return key ~ wanted && !(where == "host" && key ~ /InDatagrams/) }
	BEGIN { wanted = "^(Ip|Ip6|Udp|Udp6|Icmp|Icmp6)(In.*Errors|InDiscards|InAddrErrors|InTruncatedPkts|InNoRoutes|InUnknownProtos|Reasm(Reqds|OKs)|NoPorts|InCsumErrors)$|^(Udp|Udp6)InDatagrams$" }
	FILENAME ~ /snmp$/ {
		if ($1 == last) { for (i = 2; i <= NF; i++) { key = substr($1, 1, length($1) - 1) name[i]; if (counts(key)) print where, key, $i } last = "" }
		else { for (i = 2; i <= NF; i++) name[i] = $i; last = $1 }
		next
	}
	counts($1) { print where, $1, $2 }'

# moved_in FILE1 FILE2: what is different, as "WHERE NAME DIFFERENCE".
moved_in() {
	awk 'NR == FNR { before[$1 " " $2] = $3; next }
		$3 != before[$1 " " $2] { print $1, $2, $3 - before[$1 " " $2] }' "$1" "$2"
}

prepare_malformed() {
	ip netns exec c1 sleep 1000 &
	c1_pid=$!
	trap 'kill $c1_pid; ended_early' EXIT
	high flow vni=100 protocol=udp destination_port=5001
	# Nobody is to ask for addresses in between.
	in_ns c1 <<-END
		neighbor replace $remote_ip lladdr $remote_mac dev eth0
		neighbor replace $remote_ip6 lladdr $remote_mac dev eth0
	END
	udp4 --count 5
	udp6 --count 5
}

# intact WHEN: well-formed traffic gets through.
intact() {
	mode sync
	udp4 --count 30 --sizes 50,1200
	arrived "well-formed packets $1"
}

# inject GROUP: the frames, the container's view in `report`, and what the
# kernel counted in `kernel`.
inject() {
	counters_of_kernel >/run/selftests.before
	wire inject "$1" "${outer[@]}"
	counters_of_kernel >/run/selftests.after
	kernel=$(moved_in /run/selftests.before /run/selftests.after)
}

# malformed GROUP
malformed() {
	local off off_kernel mode

	mode off
	inject "$1"
	at_least "$1: all frames reach the NIC" "${got[arrived]-0}" "${got[sent]-1}"
	off=$(grep -v ^sent= <<<"$report")
	off_kernel=$kernel
	for mode in express sync; do
		mode $mode
		# The way is known, and as short as it may be.
		udp4 --count 3
		[ $mode != express ] || wait_for 20 has_no_ingress nic0 || fail "$1: the ingress hook goes"
		counters
		inject "$1"
		counted
		[ "$1,$mode" != valid,express ] || kept_long ||
			at_least "$1: some go the short way in mode $mode" "${delta[expressed]}" 1
		at_least "$1: all frames reach the NIC in mode $mode" "${got[arrived]-0}" "${got[sent]-1}"
		same_text "$1: the container gets the same in mode $mode" "$(grep -v ^sent= <<<"$report")" "$off"
		same_text "$1: the kernel counts the same in mode $mode" "$kernel" "$off_kernel"
	done
	counted_as "$1"
}

# same_text DESCRIPTION TEXT EXPECTED: as equal, with the difference only.
same_text() {
	if [ "$2" = "$3" ]; then
		pass "$1"
	else
		fail "$1" "$(diff <(echo "$3") <(echo "$2"))"
	fi
}

# counted_as GROUP: each reason counted as often as the report expects. Frames
# that the two ends exchange besides may add to some.
counted_as() {
	local word counter count wrong=

	while read -r word counter count; do
		[ "$word" = expect ] || continue
		case $counter in
		none) ;;
		unmatched | unclassified_not_ip | unclassified_multicast)
			[ "${delta[$counter]-0}" -ge "$count" ] || wrong+="$counter is ${delta[$counter]-none}, not $count; "
			;;
		*)
			[ "${delta[$counter]-0}" = "$count" ] || wrong+="$counter is ${delta[$counter]-none}, not $count; "
			;;
		esac
	done <<<"$report"
	moved
	if [ -z "$wrong" ]; then
		pass "$1: each frame is counted for its reason: $REPLY"
	else
		fail "$1: each frame is counted for its reason" "$wrong" "$REPLY"
	fi
}
