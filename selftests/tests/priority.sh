#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The tag: a packet of class high has its priority wherever the host looks, and
# none in the container.

. "${0%/*}/../lib.sh"
trap ended_early EXIT

# install PRIORITY: counts packets with that priority and with any other.
install() {
	local flow="udp dport 5001"

	nft -f - <<-END
		flush ruleset
		table inet prism_underlay {
			counter tagged { }
			counter other { }
			chain at_underlay {
				type filter hook prerouting priority 0;
				udp dport 4789 @th,416,16 5001 meta priority $1 counter name tagged
				udp dport 4789 @th,416,16 5001 meta priority != $1 counter name other
			}
		}
		$(table netdev vxlan "ingress device \"vx100\"" "$1")
		$(table bridge bridge forward "$1")
		$(table netdev veth "egress device \"c1h\"" "$1")
	END
	ip netns exec c1 nft -f - <<-END
		flush ruleset
		$(table inet container input 0:0)
	END
}

# table FAMILY NAME HOOK PRIORITY
table() {
	cat <<-END
		table $1 prism_$2 {
			counter tagged { }
			counter other { }
			chain at_$2 {
				type filter hook $3 priority 0;
				udp dport 5001 meta priority $4 counter name tagged
				udp dport 5001 meta priority != $4 counter name other
			}
		}
	END
}

seen() {
	{ nft list counters; ip netns exec c1 nft list counters; } |
		awk '/table/ { name = substr($3, 7) } /counter/ { kind = $2 } $1 == "packets" && $2 { print name, kind, $2 }' |
		sort | xargs
}

underlay
overlay_bridge
high flow vni=100 protocol=udp destination_port=5001

install 0:6
mode off
udp4 --count 20
arrived "mode off"
equal "mode off tags nothing" "$(seen)" \
	"bridge other 20 container tagged 20 underlay other 20 veth other 20 vxlan other 20"

install 0:6
mode sync
udp4 --count 20
arrived "mode sync"
equal "a high packet is tagged on the host, and not in the container" "$(seen)" \
	"bridge tagged 20 container tagged 20 underlay tagged 20 veth tagged 20 vxlan tagged 20"

echo 3 >"$PRISM"/priority_high
install 0:3
udp4 --count 20
echo 6 >"$PRISM"/priority_high
equal "priority_high says the value" "$(seen)" \
	"bridge tagged 20 container tagged 20 underlay tagged 20 veth tagged 20 vxlan tagged 20"

rmdir "$RULES"/flow
high other vni=100 protocol=udp destination_port=5002
install 0:0
udp4 --count 20
equal "a packet without a rule is not tagged" "$(seen)" \
	"bridge tagged 20 container tagged 20 underlay tagged 20 veth tagged 20 vxlan tagged 20"
finish
