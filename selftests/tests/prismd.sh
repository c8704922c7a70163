#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# prismd against the module, with a Docker engine that only says what containers there are: as
# a user who may nothing but write files of others, below a file system that is read-only.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

dir=/run/selftests.prismd
socket=$dir/docker.sock
rm -rf $dir
mkdir -p $dir

# engine WORD...: has the engine do that.
engine() {
	echo "$*" >&"${FAKE[1]}"
	read -r -u "${FAKE[0]}" -t 60 answer || fail "the engine: $*"
}
coproc FAKE { "$SELFTESTS"/bin/fake-docker $socket; }
wait_for 5 [ -S $socket ] || fail "the engine starts"
chmod 660 $socket

# confined COMMAND...: as tools/units/prismd.service has it.
confined() {
	touch /run/prism.lock
	mkdir -p /run/prismd
	chmod 700 /run/prismd
	chown 4242:4242 /run/prismd
	# shellcheck disable=SC2016
	exec unshare --mount --ipc bash -c '
		mount --bind /run /run && mount --bind /run/prism.lock /run/prism.lock &&
			mount --bind /run/prismd /run/prismd &&
			mount -o remount,bind,ro /run || exit
		exec setpriv --reuid 4242 --regid 4242 --clear-groups --no-new-privs --inh-caps -all,+dac_override \
			--ambient-caps -all,+dac_override --bounding-set -all,+dac_override "$@"' bash "$@"
}

daemon_pid='' starts=0
daemon() {
	starts=$((starts + 1))
	(confined "$SELFTESTS"/bin/prismd --docker $socket --metrics "${metrics:-127.0.0.1:9754}" "$@") \
		2>$dir/log.$starts &
	daemon_pid=$!
	wait_for 20 grep -q 'connected to the Docker engine' $dir/log.$starts ||
		fail "the daemon starts" "$(<$dir/log.$starts)"
}
# stop [SIGNAL]: its exit status is in `status`.
stop() {
	kill -"${1:-TERM}" $daemon_pid
	status=0
	wait $daemon_pid 2>/dev/null || status=$?
}

prismd() {
	status=0
	(confined "$SELFTESTS"/bin/prismd --docker $socket "$@") >$dir/out 2>$dir/complaint || status=$?
	out=$(<$dir/out) complaint=$(<$dir/complaint)
}

# http REQUEST [ADDRESS]: the answer, in lines that end as those of a shell.
http() {
	local fd

	exec {fd}<>"/dev/tcp/${2:-127.0.0.1}/9754" || return
	printf '%s HTTP/1.1\r\nHost: prism\r\n\r\n' "$1" >&$fd
	tr -d '\r' <&$fd
	exec {fd}>&-
}
metric() { http "GET /metrics" | awk -v name="$1 " 'index($0, name) == 1 { print $2 }'; }

left_out=/run/prismd/left-out.json
# left_out: whether the daemon runs, and who it says has no rule.
left_out() {
	"$SELFTESTS"/bin/prismctl --json status |
		jq -r '.left_out | "\(.is_running) " + (.containers | map("\(.name) \(.network) \(.reason)") | join(", "))'
}

names() { (cd "$RULES" && echo *); }
is_named() { [ "$(names)" = "$1" ]; }
has_rules() { [ "$(find "$RULES" -mindepth 1 -maxdepth 1 -name 'docker:*' | wc -l)" = "$1" ]; }
# becomes DESCRIPTION NAMES: the names of all rules, soon.
becomes() {
	wait_for 20 is_named "$2" || :
	equal "$1" "$(names)" "$2" "$(tail -n 5 $dir/log.$starts)"
}
of_rule() { (cd "$RULES/$1" && cat vni protocol destination destination_port class rate enabled | tr '\n' ' '); }

# Its counters are those of this test alone.
rmmod prism
insmod "$SELFTESTS"/../prism.ko
underlay
overlay_bridge
mode sync

net=u1mlcxjhvrwz3k5hlyu2bq4fi
web=00000000000100000000000000000001 db=00000000000200000000000000000002
in_net=docker:000000000001:u1mlcxjhvrwz
engine network $net back overlay com.docker.network.driver.overlay.vxlanid_list=100 "subnet=${c1_ip%.*}.0/24"
engine network b0000000000000 bridge bridge
engine run $web web "net:$net=$c1_ip,$c1_ip6" io.prism.class=high io.prism.ports=5001/udp io.prism.rate=50000

prismd --check
equal "what would change has status 1" "$status" 1 "$out" "$complaint"
matches "and is shown" "$out" "\\+ rule $in_net:0 vni=100 protocol=udp destination=$c1_ip/32 destination_port=5001 class=high rate=50000"
equal "nothing is changed" "$(names)" '*'
prismd --once
equal "rules are made once" "$status $(names)" "0 $in_net:0 $in_net:1" "$complaint"
prismd --check
equal "then nothing would change" "$status $out" "0 "
prismd --remove
equal "they are removed" "$status $(names)" "0 *" "$complaint"
matches "which is said" "$complaint" "INFO 2 rules removed"
# Who waits for his turn looks when he has it.
exec {lock}>>/run/prism.lock
flock $lock
prismd --once {lock}>&- &
once_pid=$!
pause 1
engine stop $web
exec {lock}>&-
wait $once_pid
equal "nothing is made for one that has stopped by then" "$(names)" '*'
engine run $web web "net:$net=$c1_ip,$c1_ip6" io.prism.class=high io.prism.ports=5001/udp io.prism.rate=50000

# What systemd has connected to the journal goes there, as the journal wants it.
journal=/run/systemd/journal/socket
mkdir -p ${journal%/*}
socat -u UNIX-RECV:$journal "OPEN:$dir/journal,creat" &
socat_pid=$!
wait_for 5 [ -S $journal ]
stream=$(stat -c %d:%i $dir/complaint)
JOURNAL_STREAM=$stream prismd --remove
equal "under systemd nothing goes to standard error" "$status $complaint" "0 "
wait_for 5 grep -qa 'rules removed' $dir/journal
matches "but to the journal" "$(tr '\0\n' '  ' <$dir/journal)" "PRIORITY .{8}5 .*MESSAGE .*0 rules removed"
JOURNAL_STREAM=0:1 prismd --remove
matches "unless it is connected elsewhere" "$complaint" "0 rules removed"
kill $socat_pid
rm -rf /run/systemd
JOURNAL_STREAM=$stream prismd --remove
matches "or there is none" "$complaint" "0 rules removed"

# Rules of others: any, and of a name of ours.
rule mine vni=100 protocol=udp destination_port=5009
rule docker:000000000009:u1mlcxjhvrwz:0 vni=100 source=192.0.2.0/24
others="docker:000000000009:u1mlcxjhvrwz:0 mine"
daemon
becomes "a container that runs has its rules" "$in_net:0 $in_net:1 $others"
equal "as its labels say" "$(of_rule $in_net:0)" "100 udp $c1_ip/32 5001 high 50000 1 "
equal "for IPv6, too" "$(of_rule $in_net:1)" "100 udp $c1_ip6/128 5001 high 50000 1 "
equal "the daemon is nobody" "$(awk '/^Uid|^CapEff|^NoNewPrivs/ { print $2 }' /proc/$daemon_pid/status | tr '\n' ' ')" \
	"4242 0000000000000002 1 "
counters
udp4 --count 20
counted
arrived "what the rule is for"
equal "and runs to completion" "${delta[completed]}" 20
equal "Prometheus is told of it" \
	"$(metric "prism_rule_packets_total{container=\"web\",network=\"back\",rule=\"$in_net:0\"}")" 20
equal "and drops none" \
	"$(metric "prism_rule_dropped_total{container=\"web\",network=\"back\",rule=\"$in_net:0\"}")" 0
equal "and of what the module counts" "$(metric prism_completed_total)" "$(<"$PRISM/stats/completed")"
equal "in all files" "$(http "GET /metrics" | sed -n 's/^prism_\([a-z_]*\)_total .*/\1/p' | LC_ALL=C sort)" \
	"$(cd "$PRISM/stats" && printf '%s\n' * | LC_ALL=C sort)"
equal "another path is not there" "$(http "GET /" | head -n 1)" "HTTP/1.1 404 Not Found"
equal "nothing can be sent" "$(http "POST /metrics" | head -n 1)" "HTTP/1.1 405 Method Not Allowed"
equal "rules of others are counted" "$(metric prismd_foreign_rules)" 1
matches "and told of" "$(<$dir/log.$starts)" "rule docker:000000000009:u1mlcxjhvrwz:0 .* left alone"

# A container on a bridge, of which a port is published.
engine run $db db mode=bridge net:b0000000000000=172.17.0.2 port:80/udp=0.0.0.0,5001 io.prism.class=high
at_host=docker:000000000002:ports:0
becomes "a published port has a rule" "$in_net:0 $in_net:1 $at_host $others"
equal "of the host's" "$(of_rule $at_host)" "none udp 0.0.0.0/0 5001 high 0 1 "
counters
wire udp --from remote --source "$peer_ip" --destination "$host_ip" --count 20
counted
arrived "what comes to that port"
equal "and runs to completion at the host" "${delta[completed]}" 20
engine stop $db
becomes "it goes with the container" "$in_net:0 $in_net:1 $others"

# What cannot be done is said.
engine network e0000000000000 secret overlay encrypted=1 com.docker.network.driver.overlay.vxlanid_list=101
engine run $db db net:e0000000000000=10.1.0.2 io.prism.class=high
wait_for 5 grep -q encrypted $dir/log.$starts
matches "an encrypted network has no rule" "$(<$dir/log.$starts)" \
	"WARN container db: network secret: no rule: the network is encrypted"
equal "which Prometheus is told" "$(metric 'prismd_lacking{container="db",network="secret",reason="encrypted"}')" 1
wait_for 5 grep -q encrypted $left_out
matches "and prismctl" "$("$SELFTESTS"/bin/prismctl status)" "  db, network secret: the network is encrypted.* \\(encrypted\\)"
equal "also as JSON" "$(left_out)" "true db secret encrypted"
equal "it is in a file that is not for all" "$(stat -c '%a %u' $left_out ${left_out%/*} | tr '\n' ' ')" "600 4242 700 4242 "
matches "others are told nothing" \
	"$(setpriv --reuid 65534 --regid 65534 --clear-groups "$SELFTESTS"/bin/prismctl status)" \
	"containers without a rule: only root may know"
engine stop $db
engine run $db db "net:$net=$c2_ip" io.prism.class=high io.prism.ports=5001
wait_for 5 grep -q 'label io.prism.ports' $dir/log.$starts
matches "a bad label is refused" "$(<$dir/log.$starts)" \
	'WARN container db: label io.prism.ports="5001": "5001": expected ports and their protocol.* it gets no rule'
becomes "as a whole" "$in_net:0 $in_net:1 $others"
engine stop $db

# Who changes something keeps others from it.
exec {lock}>>/run/prism.lock
flock $lock
engine run $db db "net:$net=$c2_ip" io.prism.class=bulk
pause 0.5
equal "nothing is changed while somebody else does" "$(names)" "$in_net:0 $in_net:1 $others"
exec {lock}>&-
becomes "and then it is" "$in_net:0 $in_net:1 docker:000000000002:u1mlcxjhvrwz:0 $others"

# The engine goes, and things happen meanwhile.
engine down
engine stop $db
pause 0.5
equal "rules stay while the engine is away" "$(names)" "$in_net:0 $in_net:1 docker:000000000002:u1mlcxjhvrwz:0 $others"
engine up
chmod 660 $socket
becomes "and are right when it is back" "$in_net:0 $in_net:1 $others"
equal "it was connected twice" "$(metric prismd_connections_total)" 2

# The daemon goes.
stop
equal "it ends when it is told" "$status" 0 "$(<$dir/log.$starts)"
equal "rules stay when the daemon stops" "$(names)" "$in_net:0 $in_net:1 $others"
check "the file goes" [ ! -e $left_out ]
equal "and nothing is said of containers" "$("$SELFTESTS"/bin/prismctl --json status | jq .left_out)" null
engine stop $web
mkdir "$RULES"/docker:000000000003:u1mlcxjhvrwz:0
daemon
becomes "it removes its own when it comes back, also half of one" "$others"
engine run $web web "net:$net=$c1_ip" io.prism.class=high
becomes "and goes on" "$in_net:0 $others"
stop KILL
equal "what it said is known to be old when it was killed" "$(left_out)" "false "
engine stop $web
daemon
becomes "it may be killed" "$others"
# Asked by an address of IPv6, and nothing but that.
stop
metrics='[::1]:9754' daemon
equal "IPv6 is answered" "$(http "GET /metrics" ::1 | head -n 1)" "HTTP/1.1 200 OK"
stop
rmdir "$RULES"/mine "$RULES"/docker:000000000009:u1mlcxjhvrwz:0

# Metrics at an address that is not there yet.
metrics=192.0.2.77:9754 daemon
engine run $web web "net:$net=$c1_ip" io.prism.class=high
becomes "rules are made without metrics" "$in_net:0"
engine stop $web
becomes "and removed" "*"
equal "why is said once" "$(grep -c 'metrics at 192.0.2.77:9754: .*tried again' $dir/log.$starts)" 1 "$(<$dir/log.$starts)"
ip address add 192.0.2.77/32 dev lo
answers() { http "GET /metrics" 192.0.2.77 2>/dev/null | grep -q '200 OK'; }
check "they are answered when it is there" wait_for 70 answers
ip address del 192.0.2.77/32 dev lo
stop

# The module goes and comes.
daemon
engine run $web web "net:$net=$c1_ip" io.prism.class=high
becomes "a rule is there" "$in_net:0"
engine stop $web
becomes "and not any more" "*"
mode off
check "the module can be unloaded" rmmod prism
engine run $web web "net:$net=$c1_ip" io.prism.class=high
wait_for 5 grep -q 'not loaded' $dir/log.$starts
matches "which is said" "$(<$dir/log.$starts)" "the module prism is not loaded"
equal "and told" "$(metric prism_up)" 0
insmod "$SELFTESTS"/../prism.ko
becomes "when it is loaded again, rules come by themselves" "$in_net:0"
engine stop $web
becomes "and go" "*"

# Many containers.
scale 1000 100 1000
many=$REPLY
start=$EPOCHREALTIME
engine many "$many" $net io.prism.class=high io.prism.ports=80/tcp
wait_for 120 has_rules "$many"
check "$many containers have their rules" has_rules "$many"
peak=$(awk '/^VmHWM/ { print $2 }' /proc/$daemon_pid/status)
engine none "$many"
wait_for 120 has_rules 0
check "and leave none" has_rules 0
note "$many containers in $(((${EPOCHREALTIME/./} - ${start/./}) / 1000)) ms, $peak KiB at most"
made=$(metric prismd_rules_made_total)
at_least "all of them were made" "${made:-0}" "$many"
equal "as many were removed as were made" "$(metric prismd_rules_removed_total)" "$made"
# Started and stopped faster than anybody looks.
for ((n = 0; n < 5; n++)); do
	engine many 50 $net io.prism.class=high
	engine none 50
done
engine run $web web "net:$net=$c1_ip" io.prism.class=high
becomes "what came and went in between leaves nothing" "$in_net:0"

# Idle, with somebody who checks the health of containers.
used() {
	local stat switches

	read -r -a stat </proc/$daemon_pid/stat
	switches=$(awk '/ctxt_switches/ { sum += $2 } END { print sum }' /proc/$daemon_pid/status)
	echo "$((stat[13] + stat[14])) ticks, $switches switches"
}
pause 1
before=$(used)
engine chatter $web 20
pause 5
matches "it runs" "$before" '^[0-9]+ ticks, [1-9]'
equal "idle, it is not even woken" "$(used)" "$before"
rss=$(awk '/^VmRSS/ { print $2 }' /proc/$daemon_pid/status)
pss=$(awk '/^Pss:/ { print $2 }' /proc/$daemon_pid/smaps_rollup)
note "resident: $rss KiB, of which $pss KiB are its share"
at_most "it takes less than 10 MiB" "$rss" 10239
equal "and has one thread" "$(awk '/^Threads/ { print $2 }' /proc/$daemon_pid/status)" 1
stop
prismd --remove
equal "nothing is left" "$status $(names)" "0 *"
kill "$FAKE_PID"
rm -rf $dir /run/prismd
finish
