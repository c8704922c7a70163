#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Inside a guest, as one of its tests: what prismctl shows on a terminal of 80 by 24
# characters while a host has something to do, and something to suffer from. The screens
# go to the host, with the terminal's colours.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

screens=/run/selftests.screens
rm -rf $screens
mkdir $screens

# on_terminal COMMAND...: runs it there.
on_terminal() { tmux -f /dev/null new-session -d -x 80 -y 24 "PATH=$SELFTESTS/bin:\$PATH exec $*"; }

# shows TEXT
shows() { tmux capture-pane -p | grep -qF "$1"; }

# take NAME TEXT: keeps what is shown, once TEXT is.
take() {
	check "a screen of $1" wait_for 60 shows "$2"
	tmux capture-pane -e -p >$screens/"$1"
}

underlay
overlay_bridge
rule cache vni=100 protocol=udp destination_port=5001 class=high
rule metrics vni=100 protocol=udp destination_port=5003 class=interactive rate=500
rule backup vni=100 protocol=udp destination_port=5002 class=bulk
mode express
isolate 1
knob limit 16
udp4 --count 5
to_c1=(udp --from remote --to c1 --source "$remote_ip" --destination "$c1_ip" --count 0)
background cache "${to_c1[@]}" --port 5001 --rate 800
background metrics "${to_c1[@]}" --source-port 41000 --port 5003 --rate 100
background backup "${to_c1[@]}" --source-port 42000 --port 5002 --window 60 --patience 20

on_terminal prismctl top --latency
wait_for 60 shows cache
# Rates are of the time since the screen before.
pause 4
take top backup
for view in cpus latency rule-latency drops; do
	tmux send-keys Tab
	pause 2.5
	take "top-$view" q
done
tmux send-keys q

# What is in front of a container has no room, and a CPU hands packets to another one.
echo 1 >/sys/class/net/nic0/queues/rx-0/rps_cpus
mode off
isolate 0
backlog=$(</proc/sys/net/core/netdev_max_backlog)
echo 16 >/proc/sys/net/core/netdev_max_backlog
on_terminal "sh -c 'prismctl doctor; read -r key'"
pause 8
take doctor RPS
echo "$backlog" >/proc/sys/net/core/netdev_max_backlog
echo 0 >/sys/class/net/nic0/queues/rx-0/rps_cpus
tmux kill-server
for flow in cache metrics backup; do
	ended $flow
done
knob limit 1000
tar -C $screens -c . >/run/guest/result
finish
