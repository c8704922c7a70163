# SPDX-License-Identifier: GPL-2.0
#
# make                 build prism.ko for the stock kernel (KERNEL=7.3 or 7.2)
# make KDIR=/path      build it for any prepared kernel tree with CONFIG_RUST,
#                      with this machine's tools (TOOLROOT=1: the tool root's)
# make debug           build it for the debug kernel
# make install         copy it to /lib/modules (INSTALL_MOD_PATH is put before)
# make tools           build prismctl and prismd, their manual pages and completions:
#                      build/tools
# make tools_install   install them, and units of systemd (PREFIX=/usr/local, DESTDIR)
# make deb             build Debian packages of the module, for DKMS, and of the tools,
#                      in build/deb
# make check           formats, lints, licences, documents, packages
# make test            host tests, then guests on the stock and a debug kernel, in
#                      twelve minutes
# make test-more       the rest on the stock kernel, more on the debug kernel, spin's models,
#                      instructions of a packet's way, a scenario of the bench
# make test-matrix     all of it, and on more kernels: 7.2, cloud, PREEMPT_RT,
#                      eight CPUs, KCSAN; prints which kernel passed what
# make soak            everything changes at random under traffic, for 30 minutes in
#                      each of two kernels (SOAK=minutes), and 1,000 lives of the module
# make test-deb        the packages on a clean system, across an upgrade of its kernel
# make test-docker     PRISM on Docker's overlay in two guests, with its latency beside vanilla's
# make fuzz            the parser and the rules fuzzed on the host, 10^8 executions
#                      of each (RUNS=), for half an hour; their seeds are kept
# make demo            vanilla and PRISM side by side, in two guests
# make demo-docker     the same with the Docker engine in both: a service of a swarm,
#                      found by its label
# make bench           PRISM beside its peers in virtual time (SCENARIO=, PEERS=)
# make bench-wall      the paper's experiments in wall-clock time, in two guests
#                      (EXPERIMENT=, ROUNDS=)
# make bench-compare   what changed since OLD=FILE (NEW=build/bench/results.json)
# make bench-bounds    which bounds what was measured keeps (NEW=)
# make screens         pictures of what prismctl shows on a terminal, in build/screens
# make profile         instructions of each stage of a packet's way (MODES=A,B)
# make shell           a prompt in a guest with PRISM and the demo's topology
# make clean           remove what was built here; the cache stays
#
# What they need (tool root, kernels, guest images) is made once and kept in
# PRISM_CACHE, by default ~/.cache/prism. Kbuild says what the module is made of.

export KERNEL KDIR TOOLROOT INSTALL_MOD_PATH PREFIX DESTDIR V JOBS SCENARIO PEERS MODULE OUT EXPERIMENT ROUNDS DURATION MODES SOAK SOAK_SEED

# The scripts bring their own make with its own jobs.
unexport MAKEFLAGS MFLAGS

all modules:
	@scripts/build.sh stock

debug:
	@scripts/build.sh debug

install modules_install:
	@scripts/install.sh

tools:
	@scripts/tools.sh

tools_install:
	@scripts/tools.sh install

deb:
	@scripts/deb.sh

check:
	@scripts/check.sh

test:
	@scripts/test.sh

test-more:
	@scripts/test.sh more

test-matrix:
	@scripts/test.sh matrix

soak:
	@scripts/test.sh soak

test-deb:
	@scripts/test.sh deb

test-docker:
	@scripts/test.sh docker

fuzz:
	@scripts/in-toolroot.sh selftests/host/fuzz.sh runs=$(or $(RUNS),100000000)

demo:
	@selftests/demo/demo.sh

demo-docker:
	@selftests/docker/docker.sh

bench:
	@selftests/bench/bench.sh

bench-wall:
	@selftests/bench/wall.sh

bench-compare:
	@selftests/bench/bench.sh compare $(OLD) $(NEW)

bench-bounds:
	@selftests/bench/bench.sh bounds $(NEW)

screens:
	@selftests/screens/screens.sh

profile:
	@selftests/profile/profile.sh

shell:
	@selftests/demo/demo.sh --shell

clean:
	@scripts/clean.sh

help:
	@sed -n '3,/^$$/s/^# \?//p' Makefile

.PHONY: all modules debug install modules_install tools tools_install deb check test test-more test-matrix test-deb test-docker soak fuzz demo demo-docker bench bench-wall bench-compare bench-bounds screens profile shell clean help
