#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# in-guest.sh RELEASE VERSION NEXT: the packages of that version on a host that was booted
# with that kernel. One line for each test; then how it went.

release=$1 version=$2 next=$3
failures=0

# check DESCRIPTION COMMAND...
check() {
	local out

	if out=$("${@:2}" 2>&1); then
		echo "ok $1"
	else
		echo "not ok $1"
		printf '%s\n' "$out" | tail -n 20 | sed 's/^/# /'
		failures=$((failures + 1))
	fi
}

is() { [ "$2" = "$1" ] || { echo "'$2', not '$1'"; return 1; }; }
state() { systemctl is-active "$1"; }
mode() { cat /sys/kernel/prism/mode; }

# nothing_left: no file has the name of the module, but for what the test brought.
nothing_left() {
	! { find / -xdev -name '*prism*' -not -path /prism -not -path '/var/lib/dpkg/*' -not -path '/var/log/*'
		find /run -maxdepth 1 -name '*prism*'; } | grep .
}

booted() {
	check "the kernel is $release" is "$release" "$(uname -r)"
	check "systemd has booted the system" is "systemd active" "$(</proc/1/comm) $(state multi-user.target)"
	check "no unit of ours has failed" is "inactive" "$(systemctl is-failed prism.service prismd.service | grep -v '^active' | sort -u)"
	check "the module is that of dkms" is "/lib/modules/$release/updates/dkms/prism.ko.xz" "$(modinfo -F filename prism)"
	check "prism.service is active" is active "$(state prism.service)"
	check "it has loaded the module" test -d /sys/module/prism
	check "it has set the mode of prism.toml" is sync "$(mode)"
	check "it has made the rule of prism.toml" is 42 "$(cat /sys/kernel/config/prism/rules/cache/vni)"
	check "prismctl status" prismctl status
	check "prismd.service was not started" is inactive "$(state prismd.service)"
}

loaded_by_hand() {
	check "the rule is removed" prismctl rule del cache
	check "the module unloads" rmmod prism
	check "modprobe prism" modprobe prism
	check "prism.service restores prism.toml" systemctl restart prism.service
	check "the mode is back" is sync "$(mode)"
	check "and the rule" is 42 "$(cat /sys/kernel/config/prism/rules/cache/vni)"
}

# runs_well UNIT: and has not been started again since somebody did so.
runs_well() {
	sleep 5
	is "active 0" "$(state "$1") $(systemctl show -P NRestarts "$1")"
}

# tells LINE: prismd, to Prometheus.
tells() {
	local fd

	exec {fd}<>/dev/tcp/127.0.0.1/9754 || return
	printf 'GET /metrics HTTP/1.1\r\nHost: prism\r\n\r\n' >&"$fd"
	tee /dev/stderr <&"$fd" | grep -qx "$1"
}

# With prismd, which waits for a Docker that is not there.
upgraded() {
	local pid

	check "prismd.service starts without Docker" systemctl start prismd.service
	check "and stays" runs_well prismd.service
	check "it tells how it is" tells "prism_up 1"
	pid=$(systemctl show -P MainPID prismd.service)
	check "the mode is changed by hand" prismctl mode express
	check "prism-tools is upgraded" dpkg -i /prism/prism-tools_*.deb
	check "it is of version $next" is "ii $next" "$(dpkg-query -W -f '${db:Status-Abbrev}${Version}' prism-tools)"
	check "prismd.service runs" runs_well prismd.service
	check "prismd.service was restarted" test "$(systemctl show -P MainPID prismd.service)" != "$pid"
	check "prism.service is active as before" is active "$(state prism.service)"
	check "what was changed by hand is as it was" is express "$(mode)"
	# As where /etc/prism.toml was not there yet at boot, and Docker was stopped.
	check "both stop" systemctl stop prism.service prismd.service
	check "prismd keeps where it tells of who is left out" test -d /run/prismd/
	check "prism-tools is installed anew" dpkg -i /prism/prism-tools_*.deb
	check "neither was started" is "inactive inactive" "$(state prism.service) $(state prismd.service)"
	check "what was changed by hand is as it was before" is express "$(mode)"
	check "prismd.service starts again" systemctl start prismd.service
}

# engine WORD...: has what looks like Docker's engine do that.
engine() {
	local answer

	echo "$*" >&"${FAKE[1]}"
	read -r -u "${FAKE[0]}" -t 60 answer && [ "$answer" = ok ]
}

# within SECONDS COMMAND...: until it succeeds.
within() {
	local tries=$(($1 * 5))

	until "${@:2}"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return
		sleep 0.2
	done
}

# What the unit lets prismd do is all that it needs for containers.
with_containers() {
	coproc FAKE { exec /prism/fake-docker /run/docker.sock; }
	check "an engine is there" within 10 test -S /run/docker.sock
	check "prismd tells of it" within 30 tells "prismd_engine_up 1"
	engine run 0123456789ab web port:80/tcp=0.0.0.0,8080 io.prism.class=high io.prism.ports=80/tcp
	check "a container has a rule" within 10 test -d "$container_rule"
	check "which is in force" within 5 grep -qx 1 "$container_rule/enabled"
	check "for its published port" is "none tcp 8080 high" \
		"$(cat "$container_rule"/{vni,protocol,destination_port,class} | xargs)"
	engine run 0123456789cd hostly mode=host io.prism.class=high
	check "prismctl status tells who has none" within 10 bash -c 'prismctl status | grep -q hostly'
	engine stop 0123456789ab
	check "and none when it has stopped" within 10 test ! -e "$container_rule"
	kill "$FAKE_PID"
	wait "$FAKE_PID" 2>/dev/null
	rm -f /run/docker.sock
}

# prism.service has given up, and starts once there is a module for its kernel. There are no compilers here: that
# dkms has built it is what postinst is told.
given_up() {
	local settings=/run/systemd/system/prism.service.d/once.conf

	check "prism.service is active" systemctl start prism.service
	mkdir -p "${settings%/*}"
	printf '[Unit]\nStartLimitBurst=1\n[Service]\nRestart=no\n' >$settings
	mv /etc/prism.toml /etc/prism.toml.kept
	echo 'devices = "nowhere"' >/etc/prism.toml
	systemctl daemon-reload
	systemctl restart prism.service
	check "it fails where a device is missing" is failed "$(state prism.service)"
	mv /etc/prism.toml.kept /etc/prism.toml
	check "and may not be started again" bash -c '! systemctl start prism.service'
	check "prism-dkms sees a kernel come" env DPKG_MAINTSCRIPT_PACKAGE=prism-dkms \
		/var/lib/dpkg/info/prism-dkms.postinst triggered /usr/src
	check "it is active" is active "$(state prism.service)"
	rm -r "${settings%/*}"
	systemctl daemon-reload
}

# A kernel that was booted without its headers being there.
without_headers() {
	local headers=/lib/modules/$release/build

	mv "$headers" "$headers.kept"
	check "a kernel without headers is told of" is \
		"prism is not built for the kernel $release: it needs the package linux-headers-$release." \
		"$(/usr/lib/prism-dkms/kernel-tree refusals)"
	mv "$headers.kept" "$headers"
	check "and nothing with them" is "" "$(/usr/lib/prism-dkms/kernel-tree refusals)"
}

# With a module that is loaded, and nothing being built.
dkms_upgraded() {
	touch /etc/dkms/no-autoinstall
	check "prism-dkms is upgraded" dpkg -i /prism/prism-dkms_*.deb
	check "it is of version $next" is "ii $next" "$(dpkg-query -W -f '${db:Status-Abbrev}${Version}' prism-dkms)"
	check "with its source, and no other" test -e "/usr/src/prism-$next/dkms.conf" -a ! -e "/usr/src/prism-$version"
	check "of before nothing is left for modprobe" bash -c '! modinfo prism'
	check "the module is loaded as before" is sync "$(mode)"
	check "and has its rule" is 42 "$(cat /sys/kernel/config/prism/rules/cache/vni)"
	check "both go" bash -c 'prismctl rule del cache && rmmod prism'
}

# Removed without being purged, and installed again.
installed_again() {
	check "prism.service is started" systemctl start prism.service
	check "the mode is another one" prismctl mode express
	check "prismd.service is enabled" systemctl enable prismd.service
	check "prism-tools is removed" dpkg --remove prism-tools
	check "both services are inactive" is "inactive inactive" "$(state prism.service) $(state prismd.service)"
	check "and installed" dpkg -i /prism/prism-tools_*.deb
	check "no mark is left" test ! -e /run/prism-tools.new
	check "prism.service is active" is active "$(state prism.service)"
	check "prismd.service, too" runs_well prismd.service
	check "it tells how it is" tells "prism_up 1"
	check "the mode is that of prism.toml" is sync "$(mode)"
	check "prismd.service is disabled" systemctl disable prismd.service
}

container_rule=/sys/kernel/config/prism/rules/docker:0123456789ab:ports:0
# prismctl makes none of that name.
rule_of_container() {
	mkdir "$container_rule" &&
		echo none >"$container_rule/vni" &&
		echo tcp >"$container_rule/protocol" &&
		echo 80 >"$container_rule/destination_port" &&
		echo high >"$container_rule/class" &&
		echo 1 >"$container_rule/enabled"
}

removed() {
	check "a rule as prismd makes them is there" rule_of_container
	check "the packages are removed" dpkg --remove prism-tools prism-dkms
	check "both services have stopped" is "inactive inactive" "$(state prism.service) $(state prismd.service)"
	check "the rules of containers are gone" test ! -e "$container_rule"
	check "no module is left for modprobe" bash -c '! modinfo prism'
	check "configuration is left" test -e /etc/default/prismd -a -e /etc/prism.toml
	check "the packages are purged" dpkg --purge prism-tools prism-dkms
	check "nothing is left" nothing_left
	check "dkms knows nothing of it" is "" "$(dkms status)"
	check "the rules that are left go with the module" bash -c \
		'rmdir /sys/kernel/config/prism/rules/* && rmmod prism'
}

check "version $version is installed" is "ii $version" "$(dpkg-query -W -f '${db:Status-Abbrev}${Version}' prism-dkms)"
booted
case $release in
7.2*)
	upgraded
	with_containers
	given_up
	without_headers
	installed_again
	removed
	;;
*)
	loaded_by_hand
	dkms_upgraded
	;;
esac
[ $failures = 0 ]
