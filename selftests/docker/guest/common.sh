# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
#
# What both guests share: a host with the Docker engine, images of files that it has, PRISM and
# prismd. Source it after pair/guest/common.sh.

# Docker makes the MAC address of a container of its address just as mac_of does, so that the
# cable's bulk traffic looks like that of the container `bulk`.
overlay_net=back
remote_port=7001

# underlay_of NAME: the guest's NIC, as the host of that name has it.
underlay_of() {
	hostname "$1"
	echo "127.0.0.1 localhost $1" >/etc/hosts
	case $1 in
	server) underlay eth0 "$server_host" "$server_mac" ;;
	client) underlay eth0 "$client_host" "$client_mac" ;;
	esac
}

# behind_services COMMAND...: becomes that, off the processor that receives, and only where nothing else
# wants the other one. Each 20 seconds the engine of a swarm looks at its host, which starts programs: the services would
# wait for that as much longer as an emulated processor is slower. Containers have groups of their own.
behind_services() {
	local group=/sys/fs/cgroup/engine

	if ! { echo +cpu >/sys/fs/cgroup/cgroup.subtree_control && mkdir -p $group && echo 1 >$group/cpu.idle &&
		echo "$BASHPID" >$group/cgroup.procs; }; then
		die "the engine can have no group of its own"
	fi
	exec taskset -c "$(($(nproc) - 1))" "$@"
}

# Its files are in memory, as the guest's root is an overlay that takes no other above it.
start_engine() {
	local dir

	for dir in /var/lib/docker /var/lib/containerd /var/lib/containers; do
		if ! mountpoint -q $dir; then
			mkdir -p $dir
			mount -t tmpfs -o size=40% engine $dir || die "$dir cannot be made"
		fi
	done
	sysctl -q -w net.ipv4.ip_forward=1
	start_containerd
	behind_services dockerd --log-level warn --containerd "$containerd_socket" >>/run/dockerd.log 2>&1 &
	echo $! >/run/dockerd.pid
	wait_for 600 engine_answers || die "dockerd does not start: $(tail -n 3 /run/dockerd.log)"
}

# dockerd would start it, and give up after 15 seconds, which is not much for an emulated guest.
containerd_socket=/run/containerd/containerd.sock
start_containerd() {
	[ ! -S $containerd_socket ] || return 0
	mkdir -p /run/containerd
	printf '%s\n' 'version = 2' 'disabled_plugins = ["io.containerd.grpc.v1.cri"]' >/run/containerd/config.toml
	behind_services containerd --config /run/containerd/config.toml --log-level warn >>/run/containerd.log 2>&1 &
	wait_for 300 [ -S $containerd_socket ] || die "containerd does not start: $(tail -n 3 /run/containerd.log)"
}

# To ask with Docker's own client would take longer than it needs to start.
engine_answers() {
	printf 'GET /_ping HTTP/1.0\r\n\r\n' | socat -t 10 - UNIX-CONNECT:/run/docker.sock | grep -q '^OK'
}

# stop_engine: with what it runs, as it does where the host goes down.
stop_engine() {
	local pid

	pid=$(</run/dockerd.pid)
	kill "$pid"
	wait_for 120 is_gone "$pid"
}

# is_gone PID: it has ended, whether or not somebody has asked how.
is_gone() { ! grep -q '^State:[[:space:]]*[^Z]' "/proc/$1/status"; }

# files_of FILE...: the files and the libraries that they need.
files_of() {
	local file

	for file; do
		echo "$file"
		ldd "$file" 2>/dev/null | grep -o '/[^ )]*' || :
	done | sort -u
}

# image_of NAME ENTRYPOINT FILE...: prism/NAME, of nothing but these files of this host, as a tar
# in /run/NAME.tar. Programs of ours, which are in /prism, are in /bin there.
image_of() {
	local name=$1 entry=$2 dir=/run/image.$1 file
	shift 2

	mkdir -p "$dir"/{bin,tmp,etc}
	# busybox is what the shell and the like are.
	for file in $(files_of /usr/bin/busybox "$@"); do
		case $file in
		/prism/*) cp "$file" "$dir/bin/" ;;
		*) mkdir -p "$dir${file%/*}" && cp -L "$file" "$dir$file" ;;
		esac || die "the image $name cannot be made"
	done
	for file in sh sleep; do
		ln -sf /usr/bin/busybox "$dir/bin/$file"
	done
	echo "root:x:0:0:root:/:/bin/sh" >"$dir/etc/passwd"
	tar -C "$dir" -cf "/run/$name.tar" .
	docker import --change "ENTRYPOINT $entry" "/run/$name.tar" "prism/$name" >/dev/null ||
		die "docker import of $name fails"
	rm -r "$dir"
}

# memcached has one value, and nothing to maintain; the thread that looks for something wants a twelfth of an emulated
# processor.
make_images() {
	image_of memcached '["/usr/bin/memcached", "-u", "root", "-t", "1", "-m", "64", "-U", "11211", "-o", "no_lru_maintainer"]' \
		/usr/bin/memcached
	image_of traffic '["/bin/sleep", "1000000"]' /prism/{memprobe,bulk}
}

# start_prism: the module and the daemon, which has nothing to go by but labels.
start_prism() {
	modprobe -a vxlan bridge veth || die "the kernel lacks vxlan, bridge or veth"
	insmod /prism/prism.ko 2>/run/insmod.log || die "prism.ko does not load: $(cat /run/insmod.log)"
	export PATH=$PATH:/prism/bin
	start_prismd
}

start_prismd() {
	prismd >>/run/prismd.log 2>&1 &
	echo $! >/run/prismd.pid
}

# A rule holds the module, so all of them go.
stop_prism() {
	local pid

	pid=$(</run/prismd.pid)
	kill "$pid"
	wait_for 10 is_gone "$pid"
	prismd --remove >>/run/prismd.log 2>&1
	[ -z "$(ls "$RULES")" ] || rmdir "$RULES"/*
}

# attached NAME ADDRESS ARG...: a container in the overlay network that starts again with the engine, or says why
# not. Swarm gives an attachment up after 20 seconds, in which a busy emulated host may not get far.
attached() {
	local name=$1 address=$2 tries
	shift 2

	for tries in 1 2 3 4 5; do
		docker run -d --name "$name" --restart always --network "$overlay_net" --ip "$address" "$@" \
			>/run/"$name".log 2>&1 && return
		docker rm -f "$name" >/dev/null 2>&1
		sleep "$tries"
	done
	echo "the container $name does not start: $(tail -n 1 /run/"$name".log)"
	return 1
}

# attached_to NETWORK NAME ADDRESS ARG...: the same in another one.
attached_to() { overlay_net=$1 attached "${@:2}"; }

# pid_of CONTAINER: of its first process.
pid_of() { docker inspect -f '{{.State.Pid}}' "$1"; }

# address_of CONTAINER NETWORK
address_of() { docker inspect -f "{{(index .NetworkSettings.Networks \"$2\").IPAddress}}" "$1"; }

# task_of SERVICE: the container here that is that service's.
task_of() { docker ps -q --filter "label=com.docker.swarm.service.name=$1" | grep .; }

# pinned CONTAINER: it stays off the processor that receives.
pinned() { taskset -a -c -p "$(($(nproc) - 1))" "$(pid_of "$1")" >/dev/null; }

# rules_of CONTAINER: names of the rules that prismd has made for it.
rules_of() {
	local id

	id=$(docker inspect -f '{{.Id}}' "$1") &&
		(cd "$RULES" && printf '%s\n' "docker:${id:0:12}:"*:*) | grep -v '\*'
}

# field RULE NAME
field() { cat "$RULES/$1/$2"; }
