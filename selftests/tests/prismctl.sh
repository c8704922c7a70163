#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# prismctl against the module: each command, what it refuses, and that a bad file or a
# refusal in the middle changes nothing.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

dir=/run/selftests.prismctl
mkdir -p $dir

# ctl ARG...: its status is in `status`, its output in `out`, what it complains of in `complaint`.
ctl() {
	status=0
	"$SELFTESTS"/bin/prismctl "$@" >$dir/out 2>$dir/complaint || status=$?
	out=$(<$dir/out) complaint=$(<$dir/complaint)
}

# does DESCRIPTION ARG...
does() {
	local what=$1
	shift

	ctl "$@"
	equal "$what" "$status $complaint" "0 " "$out"
}

# refuses DESCRIPTION PATTERN ARG...: with a complaint like that and status 2, or that in `refusal`, and
# nothing changes.
refuses() {
	local what=$1 pattern=$2 before
	shift 2

	before=$(everything)
	ctl "$@"
	equal "$what: status ${refusal:-2}" "$status" "${refusal:-2}" "$out" "$complaint"
	matches "$what: says why" "$complaint" "$pattern"
	equal "$what: nothing changes" "$(everything)" "$before"
}

# everything: what the module's files have that can be set.
everything() {
	local rule

	for rule in "$RULES"/*/; do
		[ ! -d "$rule" ] || (cd "$rule" && grep . vni protocol source destination source_port \
			destination_port dscp class rate gro enabled | sed "s|^|$rule|")
	done
	(cd "$PRISM" && grep -s . mode isolate accelerate quantum limit limit_bytes devices high_share \
		weight_* recent_us priority_high receiver_slice_us)
}

of_rule() { cat "$RULES/$1/$2"; }

# Its counters are those of this test alone.
rmmod prism
insmod "$SELFTESTS"/../prism.ko
underlay
overlay_bridge

does "a rule is added" rule add flow vni=100 protocol=udp destination_port=5001
equal "the rule is of class high and enabled" "$(of_rule flow class) $(of_rule flow enabled)" "high 1"
does "the mode is set" mode sync
does "the mode is shown" mode
equal "the mode is sync" "$out" sync
udp4 --count 20
arrived "with both"
does "rules are listed" rule list
matches "with what they have met" "$out" $'\n'"flow +high +yes +20 +[0-9]+ +0 +vni=100 protocol=udp destination_port=5001"
does "as JSON" --json rule list
equal "with what they have met" "$(jq -r '.[0] | "\(.name) \(.enabled) \(.packets) \(.dropped) \(.vni)"' <<<"$out")" "flow true 20 0 100"
does "the state is shown" status
matches "with what was accelerated" "$out" " 20  completed "
does "as JSON" --json status
equal "with the mode" "$(jq -r '"\(.mode) \(.rules) \(.enabled) \(.classified)"' <<<"$out")" "sync 1 1 20"
equal "and with what was accelerated" "$(jq .ways.completed <<<"$out")" 20
does "counters are shown" stats
matches "what counted" "$out" " 20  delivered "
does "all of them" --json stats
# Some count what comes by itself.
equal "all that there are" "$(jq -r 'keys[]' <<<"$out")" "$(cd "$PRISM/stats" && printf '%s\n' * | LC_ALL=C sort)"
equal "as the files have them" "$(jq -r '"\(.classified) \(.delivered)"' <<<"$out")" \
	"$(<"$PRISM/stats/classified") $(<"$PRISM/stats/delivered")"

does "fields are changed" rule set flow rate=50000 destination_port=5001-5009
equal "and the rule is in force" "$(of_rule flow rate) $(of_rule flow destination_port) $(of_rule flow enabled)" "50000 5001-5009 1"
does "a rule is shown" rule show flow
matches "all of it" "$out" "destination_port +5001-5009"
matches "with what was dropped" "$out" $'\n'"dropped +0"
does "isolation is turned on" isolate on
does "knobs are set" set quantum=4 accelerate=bulk
does "knobs are shown" --json get quantum accelerate isolate
equal "as they were set" "$(jq -c . <<<"$out")" '{"accelerate":"bulk","isolate":"1","quantum":"4"}'

refuses "an unknown field" 'no field is called "port"' rule set flow port=3
refuses "a bad value" 'vni: expected any, none or a VNI from 0 to 16777215' rule set flow vni=x
refuses "ports without a protocol" 'ports need protocol tcp, udp or sctp' rule set flow protocol=any
refuses "a rule that is there" 'there is a rule flow already' rule add flow vni=1
refuses "a bad name" 'a name has letters' rule add 'a b' vni=1
refuses "a rule that is not there" 'there is no rule none' rule del flow none
refuses "an unknown knob" 'is it quantum\?' set quantun=4
refuses "the second of two knobs" 'limit="0": expected a number from 1 to 1000000' set quantum=9 limit=0
refuses "a device that is not there" 'no device has that name' set quantum=9 devices=none0
refuses "a name of prismd's rules" "those of prismd's rules" rule add docker:web vni=1

ip link add gone0 type veth peer name gone1
does "a device is chosen" set devices=gone0
ip link del gone0
does "and gone, the state is shown" status
matches "with that" "$out" "none of the devices that were chosen is there: prismctl set devices=auto"
does "other knobs are set" set quantum=5 quantum=4
does "and all is saved" save
equal "but for the devices" "$(grep -c ^devices <<<"$out")" 0
does "devices are chosen anew" set devices=auto

# What is away is not shown, and chosen all the same.
ip link add gone0 type veth peer name gone1
does "two devices are chosen" set devices=gone0,gone1
ip link set gone0 netns remote
does "of which one is away" get devices
does "the other is to be the only one" set devices=gone1
ip -n remote link set gone0 netns 1
equal "and is, when the first one is back" "$(<"$PRISM/devices")" gone1
ip link del gone0
does "devices are chosen anew" set devices=auto

does "it is saved" save $dir/saved.toml
equal "for root alone" "$(stat -c %a $dir/saved.toml)" 600
ln -s saved.toml $dir/link.toml
does "by a link, too" save $dir/link.toml
equal "which stays one" "$(readlink $dir/link.toml)" saved.toml
does "to what is no file" save /dev/null
equal "which stays what it is" "$(stat -c %F /dev/null)" "character special file"
does "nothing differs" diff $dir/saved.toml
equal "nothing is shown" "$out" ""
cat >$dir/other.toml <<-END
	mode = "express"
	isolate = false
	[rules.other]
	vni = 100
	protocol = "tcp"
END
before=$(everything)
ctl diff $dir/other.toml
equal "what differs has status 1" "$status $complaint" "1 "
equal "what differs is shown" "$out" "- rule flow vni=100 protocol=udp destination_port=5001-5009 class=high rate=50000
+ rule other vni=100 protocol=tcp class=high
- isolate=1
+ isolate=0
- mode=sync
+ mode=express"
equal "and is as before" "$(everything)" "$before"
does "a file is applied" apply $dir/other.toml
ctl diff $dir/other.toml
equal "nothing differs then" "$status $out" "0 "
does "what was saved is applied" apply - <$dir/saved.toml
equal "and all is as it was" "$(everything)" "$before"
does "rules may stay" apply --keep $dir/other.toml
equal "both are there" "$(cd "$RULES" && echo *)" "flow other"
does "what was saved is applied again" apply $dir/saved.toml

# Rules that prismd made are no part of what is saved and applied.
rule docker:0123456789ab:ports:0 vni=none protocol=tcp destination_port=80
does "a file is applied beside rules of prismd" apply $dir/saved.toml
equal "which stay" "$(cd "$RULES" && echo *)" "docker:0123456789ab:ports:0 flow"
does "and are not saved" save
equal "with the others" "$(grep '^\[' <<<"$out")" "[rules.flow]"
does "nor do they differ" diff $dir/saved.toml
rmdir "$RULES"/docker:0123456789ab:ports:0

printf 'mode = "express"\n[rules.a]\nvni = 1\nrat = 3\n' >$dir/bad.toml
refusal=3 refuses "a bad file" "$dir/bad.toml:4:1: rule a, no field is called \"rat\"; is it rate\?" apply $dir/bad.toml
refusal=3 refuses "the same, to be checked" "bad.toml:4:1" apply --check $dir/bad.toml
printf 'mode = "off" # f\374r\n' >$dir/latin.toml
refusal=3 refuses "a file that is no text" "$dir/latin.toml:1:17: this is not UTF-8" apply $dir/latin.toml
printf 'devices = "none0"\n[rules.a]\nvni = 1\n' >$dir/away.toml
refuses "a file with a device that is not there" 'no device has that name.*nothing was changed' apply $dir/away.toml
refuses "a file that is not there" 'No such file' apply $dir/none.toml

printf '[rules."docker:web"]\nvni = 1\n' >$dir/theirs.toml
refusal=3 refuses "a file with a name of prismd's rules" "theirs.toml:1:8: rule docker:web: .*prismd's rules" apply $dir/theirs.toml

# What has begun is done as a whole: r1 is the first of them. What runs in the background ignores QUIT
# where it is not told otherwise.
for number in {1..200}; do
	printf '[rules.r%s]\nvni = %s\n' "$number" "$number"
done >$dir/many.toml
has_many() { [ "$(find "$RULES" -mindepth 1 -maxdepth 1 | wc -l)" = 200 ]; }
for signal in TERM QUIT; do
	env --default-signal=QUIT "$SELFTESTS"/bin/prismctl apply $dir/many.toml >/dev/null 2>&1 &
	begun=$!
	until [ -d "$RULES/r1" ] || ! kill -0 $begun 2>/dev/null; do :; done
	kill -$signal $begun
	status=0
	wait $begun || status=$?
	equal "$signal comes after the first rule" "$status" $((128 + $(kill -l $signal)))
	check "and ends it after the last" has_many
	does "what was saved is applied once more" apply $dir/saved.toml
done

# It is done where nobody can read what was.
"$SELFTESTS"/bin/prismctl apply $dir/many.toml >/dev/full 2>$dir/complaint
equal "without room for its output, it is done" "$?" 0
matches "and said" "$(<$dir/complaint)" "all was applied; output: No space left"
check "as a whole" has_many
"$SELFTESTS"/bin/prismctl diff $dir/saved.toml 2>&1 | { exec <&-; sleep 1; }
equal "that something differs is told to who reads nothing" "${PIPESTATUS[0]}" 1
rm -f $dir/unread
mkfifo $dir/unread
exec {unread}<>$dir/unread
# Until it is full.
dd if=/dev/zero of=$dir/unread oflag=nonblock bs=4096 2>/dev/null
"$SELFTESTS"/bin/prismctl apply $dir/saved.toml >$dir/unread &
stuck=$!
is_saved() { [ "$(cd "$RULES" && echo *)" = flow ]; }
check "while its output waits, it is done" wait_for 20 is_saved
check "and others may change something" wait_for 5 flock -n /run/prism.lock true
equal "which it still waits for" "$(kill -0 $stuck && echo yes)" yes
kill $stuck
wait $stuck
exec {unread}>&-

equal "only root can keep others from changes" "$(stat -c %a /run/prism.lock)" 600
flock /run/prism.lock sleep 3 &
sleep 0.5
ctl isolate on
equal "a change waits for another" "$status" 0
matches "and says so" "$complaint" "another command changes the configuration"
wait $!

as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$SELFTESTS"/bin/prismctl "$@"; }
matches "others see the mode" "$(as_nobody status 2>&1)" "mode +sync"
matches "and no rules" "$(as_nobody rule list 2>&1)" "only root"
before=$(everything) status=0
as_nobody mode off 2>/dev/null || status=$?
equal "others do not set it" "$status" 2
equal "which is as before" "$(everything)" "$before"

# says DESCRIPTION FILTER EXPECTED ARG...: what JSON there is, of the output or of what it complains of.
says() {
	local what=$1 filter=$2 expected=$3
	shift 3

	ctl --json "$@"
	equal "JSON, $what" "$(jq -rc "$filter" <<<"$out$complaint" 2>&1)" "$expected" "$out" "$complaint"
}
says "a rule that comes" '.[0] | "\(.rule) \(.from) \(.to)"' "json null json vni=7 class=high (disabled)" rule add json vni=7 --disabled
equal "which is disabled" "$(of_rule json enabled)" 0
says "one that changes" '.[0].to' "json vni=7 class=bulk (disabled)" rule set json class=bulk
says "one that is shown" '"\(.name) \(.class) \(.enabled)"' "json bulk false" rule show json
says "one that goes" '.[0] | "\(.rule) \(.to)"' "json null" rule del json
says "the mode" .mode sync mode
says "another mode" '.[0] | "\(.knob) \(.from) \(.to)"' "mode sync batch" mode batch
says "the one before" 'length' 1 set mode=sync
says "isolation" .isolate 1 isolate
says "isolation as it is" 'length' 0 isolate on
says "what is saved" '.file | split("\n") | map(select(. == "[rules.flow]")) | length' 1 save
says "what differs" '.[0] | "\(.rule) \(.from)"' "other null" diff --keep $dir/other.toml
says "a file that is applied" 'length' 0 apply $dir/saved.toml
says "a bad file" '"\(.error), \(.problems[0] | "\(.line) \(.column) \(.what)")"' \
	'the file is wrong, and nothing was changed, 4 1 rule a, no field is called "rat"; is it rate?' apply $dir/bad.toml
says "what is refused" .error 'there is no rule none' rule del none
says "a good file" . '{}' apply --check $dir/saved.toml
says "a file that is written" .path $dir/again.toml save $dir/again.toml
says "no command" '.error | split("\n")[0]' "unrecognized subcommand 'ruel'" ruel list
equal "has status 2" "$status" 2
ctl --color always rule list
matches "colours are had in files, too" "$out" $'\e\[1m.*NAME'
does "counters are shown" stats --all
matches "also those that are zero" "$out" " 0  kept "
equal "and all is as before" "$(everything)" "$before"

does "rules are removed" rule del flow
equal "none is left" "$(cd "$RULES" && echo *)" '*'
does "all is turned off" set mode=off isolate=off quantum=2 accelerate=high
clean
rmmod prism
ctl status
equal "without the module" "$status $complaint" \
	"2 prismctl: the module prism is not loaded (there is no /sys/kernel/prism): modprobe prism"

# The module has room for three rules.
insmod "$SELFTESTS"/../prism.ko max_rules=3
does "two rules are there" apply - <<<$'[rules.a]\nvni = 1\n[rules.b]\nvni = 2\nenabled = false'
printf '[rules.b]\nvni = 3\n[rules.c]\nvni = 4\n[rules.d]\nvni = 5\n[rules.e]\nvni = 6\n' >$dir/full.toml
refuses "a file that the module refuses in the middle" 'rule e: there are as many rules.*nothing was changed' \
	apply $dir/full.toml
does "no rule is left" rule del a b
rmmod prism
insmod "$SELFTESTS"/../prism.ko
finish
