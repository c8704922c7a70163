/* SPDX-License-Identifier: GPL-2.0 */
/*
 * C side of the library: what the kernel's headers offer only as macros or
 * inline functions, gathered into calls that do one whole step each, so that
 * the packet path crosses from Rust to C a few times and not at every field.
 */
#ifndef _KNET_H
#define _KNET_H

#include <linux/skbuff.h>
#include <linux/types.h>

struct net;
struct net_device;
struct nf_hook_ops;
struct sock;

/* Largest span of headers that is ever copied out of a packet, in bytes. */
#define KNET_HEAD_MAX	144

/* Where the library writes by itself: one instruction, where a call takes ten. */
enum {
	KNET_SKB_PRIORITY = offsetof(struct sk_buff, priority),
};

/* Headers up to TCP's, untunnelled: what the linear part has at least. */
#define KNET_HEAD_MIN	60

/* A received frame as the first stage sees it: nothing has been changed. */
struct knet_frame {
	const u8 *head;		/* readable bytes, from the network header */
	u32 head_len;		/* how many */
	u32 len;		/* bytes of the packet from the network header */
	u32 offset;		/* of the network header from skb->data */
	const struct net_device *dev;	/* where it was received */
	bool gso;		/* already merged by hardware or a peer */
	bool shared;		/* others take packets of the device, to wherever they want */
};

/* How far a device is from being an ordinary NIC. */
enum knet_dev_kind {
	KNET_DEV_NIC,		/* anything that is not one of the below */
	KNET_DEV_LOOPBACK,
	KNET_DEV_VXLAN,
	KNET_DEV_VETH,
	KNET_DEV_NETKIT,
	KNET_DEV_BRIDGE,
	KNET_DEV_TUN,		/* tun or tap */
	KNET_DEV_UPPER,		/* VLAN, bond, team, macvlan, other virtual */
};

/*
 * What decides about a datagram of a VXLAN socket, for the duration of an RCU
 * section.
 */
struct knet_vxlan {
	struct net_device *dev;	/* whose VNI it is */
	u64 source;		/* inner source address, six bytes in memory order */
	u64 outer_source;	/* address of the sending VTEP, folded for IPv6 */
	u32 features;		/* VXLAN_F_* of the socket and of the device */
	u32 reserved;		/* not zero if bits of the header that are to be are not */
	u32 fdb_generation;	/* changes with every FDB */
	u32 second;		/* since some moment, of one to two seconds each */
	u16 inner_protocol;	/* ethertype, behind a VLAN tag if there is one */
	u16 inner_word;		/* what follows the inner Ethernet header */
	u16 transport;		/* of a merged packet: of TCP in the inner one */
	u8 outer_dsfield;	/* TOS or Traffic Class of the outer header */
	bool up;
	bool own_source;	/* the inner source address is the device's */
	bool cross_net;		/* socket and device in different namespaces */
	bool leads_out;		/* packets may come to another namespace as they are */
	const struct net_device *from;	/* where the datagram was received */
};

/* knet.c: GRO stage and the packet itself */
bool knet_is_shared(const struct net_device *dev);
bool knet_gro_frame(struct sk_buff *skb, u16 type, struct knet_frame *frame);
bool knet_ingress_frame(struct sk_buff *skb, struct knet_frame *frame);
void knet_waiting_frame(const struct sk_buff *skb, u32 offset,
			struct knet_frame *frame);
void knet_pull_headers(struct sk_buff *skb);
void knet_skip_ingress(struct sk_buff *skb);
u16 knet_skb_protocol(const struct sk_buff *skb);
const struct net_device *knet_skb_dev(const struct sk_buff *skb);
int knet_skb_copy_bits(const struct sk_buff *skb, u32 offset, u8 *to, u32 len);
bool knet_may_be_in_flight(const struct sk_buff *skb);
struct sk_buff *knet_skb_new(void);

/* per-CPU memory */
void __percpu *knet_alloc_percpu(size_t size, size_t align);
void *knet_this_cpu_ptr(void __percpu *ptr);
void *knet_per_cpu_ptr(void __percpu *ptr, unsigned int cpu);
unsigned int knet_next_cpu(int cpu);
unsigned int knet_nr_cpu_ids(void);
u64 knet_ktime_ns(void);
u32 knet_usecs_to_jiffies(u32 us);
u64 knet_random_u64(void);
void knet_local_bh_disable(void);
void knet_local_bh_enable(void);

/* netfilter */
void knet_free_hook(struct nf_hook_ops *ops);

/* devices */
enum knet_dev_kind knet_dev_kind(const struct net_device *dev);
const char *knet_dev_name(const struct net_device *dev);
struct net *knet_dev_net(const struct net_device *dev);
bool knet_dev_in_init_net(const struct net_device *dev);
bool knet_dev_merges_udp(const struct net_device *dev);
struct net_device *knet_notifier_dev(void *ptr);
void knet_rtnl_lock(void);
void knet_rtnl_unlock(void);
void knet_for_each_netdev(void (*fn)(struct net_device *dev, void *data),
			  void *data);
bool knet_init_net_has_dev(const char *name);

/* delivery through a veth */
enum knet_delivery {
	KNET_CROSSED,		/* the packet is at the peer, to be received */
	KNET_DROPPED,		/* the packet is gone */
	KNET_DRIVER,		/* the peer's driver decides, see knet_xmit() */
	KNET_LEAVE_NO_PEER,	/* no peer, or peer down */
	KNET_LEAVE_XDP,		/* an XDP program on the peer sees it first */
	KNET_LEAVE_QDISC,	/* a qdisc must see it */
	KNET_LEAVE_TC,		/* a tc program on egress must see it */
	KNET_LEAVE_TAP,		/* a packet socket must see it */
	KNET_LEAVE_BEHIND,	/* those before it were left, and wait */
	KNET_LEAVE_GSO,		/* may have to be segmented */
	KNET_LEAVE_MTU,		/* larger than the peer takes */
	KNET_LEAVE_OTHER,	/* anything else that looks unusual */
};
bool knet_is_behind(const struct net_device *dev);
void knet_left(const struct net_device *dev);
void knet_left_is_queued(void);
enum knet_delivery knet_veth_cross(struct sk_buff *skb, struct net_device *dev);
void knet_xmit(struct sk_buff *skb, struct net_device *dev);
bool knet_backlog_take(struct sk_buff *skb);

/* vxlan.c: VXLAN sockets and decapsulation */
typedef int (*knet_encap_rcv_t)(struct sock *sk, struct sk_buff *skb);
unsigned int knet_vxlan_socks(struct net_device *dev, struct sock *socks[2]);
u16 knet_sock_port(const struct sock *sk);
bool knet_sock_is_v6(const struct sock *sk);
enum knet_sock_owner {
	KNET_SOCK_HOME,		/* in the initial network namespace */
	KNET_SOCK_AWAY,		/* in another one of the initial user namespace */
	KNET_SOCK_FOREIGN,	/* in one that whoever made it is root in */
};
enum knet_sock_owner knet_sock_owner(const struct sock *sk);
knet_encap_rcv_t knet_sock_encap_rcv(const struct sock *sk);
void knet_sock_set_encap_rcv(struct sock *sk, knet_encap_rcv_t rcv);
enum knet_vxlan_lookup {
	KNET_VXLAN_FOUND,
	KNET_VXLAN_NO_HEADERS,	/* missing or unreadable */
	KNET_VXLAN_NO_FLAG,	/* the I flag is not set */
	KNET_VXLAN_NO_VNI,	/* no device of the socket has it */
	KNET_VXLAN_FEATURES,	/* the socket's devices are not one VNI each */
};
enum knet_vxlan_lookup knet_vxlan_look(struct sock *sk, struct sk_buff *skb,
				       struct knet_vxlan *vx);
bool knet_vxlan_fdb_current(const struct knet_vxlan *vx, const struct sock *sk,
			    const struct sk_buff *skb);
int knet_vxlan_follow_fdb(void);
void knet_vxlan_unfollow_fdb(void);
bool knet_vxlan_decapsulate(const struct knet_vxlan *vx, struct sk_buff *skb);
bool knet_vxlan_pull_headers(struct sk_buff *skb);
void knet_vxlan_untag(const struct sock *sk, struct sk_buff *skb);

#endif /* _KNET_H */
