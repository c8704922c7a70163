// SPDX-License-Identifier: GPL-2.0
/*
 * UDP and TCP sockets that swallow what reaches them.
 */
#include <linux/err.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/net.h>
#include <linux/nsproxy.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/sockptr.h>
#include <net/net_namespace.h>
#include <net/sock.h>
#include <net/tcp.h>
#include <net/udp.h>
#include <net/udp_tunnel.h>

#include "sink.h"

/* Of a connection, in bytes: what arrives while its softirq is not run. */
#define SINK_BUFFER	(8 << 20)
/* Of its windows (RFC 7323 section 2). */
#define SINK_WINDOW_SCALE	7

struct knet_sink {
	struct net *net;
	struct socket *sock;
	knet_sink_fn fn;
	void *data;
	/* Of a connection: the length of its messages, and what is missing of the current one. */
	u32 message;
	u32 left;
	void (*data_ready)(struct sock *sk);
};

/* A sink in the network namespace of the calling process, which stays as long as it. */
static struct knet_sink *sink_alloc(knet_sink_fn fn, void *data)
{
	struct knet_sink *sink = kzalloc(sizeof(*sink), GFP_KERNEL);

	if (!sink)
		return NULL;
	sink->net = get_net(current->nsproxy->net_ns);
	sink->fn = fn;
	sink->data = data;
	return sink;
}

static void sink_free(struct knet_sink *sink)
{
	put_net(sink->net);
	kfree(sink);
}

static void sink_show(struct knet_sink *sink, const struct sk_buff *skb, u32 offset, u32 len)
{
	u8 head[KNET_SINK_HEAD];

	len = min_t(u32, len, sizeof(head));
	if (!skb_copy_bits(skb, offset, head, len))
		sink->fn(sink->data, head, len);
}

/* Where a datagram would be queued: after its checksum, policies and filters. */
static int sink_receive(struct sock *sk, struct sk_buff *skb)
{
	struct knet_sink *sink = rcu_dereference_sk_user_data(sk);

	if (sink)
		sink_show(sink, skb, sizeof(struct udphdr), skb->len - sizeof(struct udphdr));
	consume_skb(skb);
	return 0;
}

/* A UDP socket. Context: process. */
struct knet_sink *knet_sink_open(bool v6, const struct knet_endpoint *local, knet_sink_fn fn,
				 void *data)
{
	struct knet_sink *sink = sink_alloc(fn, data);
	struct udp_tunnel_sock_cfg tunnel = {
		.encap_type = 1,
		.encap_rcv = sink_receive,
		.sk_user_data = sink,
	};
	struct udp_port_cfg config = {
		.family = v6 ? AF_INET6 : AF_INET,
		.local_udp_port = htons(local->port),
	};
	int err;

	if (!sink)
		return ERR_PTR(-ENOMEM);
	if (v6) {
		memcpy(&config.local_ip6, local->address, sizeof(config.local_ip6));
		config.ipv6_v6only = 1;
	} else {
		memcpy(&config.local_ip, local->address, sizeof(config.local_ip));
	}
	err = udp_sock_create(sink->net, &config, &sink->sock);
	if (err) {
		sink_free(sink);
		return ERR_PTR(err);
	}
	setup_udp_tunnel_sock(sink->net, sink->sock->sk, &tunnel);
	return sink;
}

/* A piece of the stream, which may have several messages or a part of one. */
static int sink_read(read_descriptor_t *desc, struct sk_buff *skb, unsigned int offset, size_t len)
{
	struct knet_sink *sink = desc->arg.data;
	u32 done = 0;
	u32 step;

	while (done < len) {
		step = min_t(u32, sink->left, len - done);
		if (sink->left == sink->message)
			sink_show(sink, skb, offset + done, step);
		sink->left -= step;
		if (!sink->left)
			sink->left = sink->message;
		done += step;
	}
	return len;
}

/* Bytes are in order and acknowledged. In softirq, with the socket's lock. */
static void sink_data_ready(struct sock *sk)
{
	struct knet_sink *sink = sk->sk_user_data;
	read_descriptor_t desc = { .count = 1, .arg.data = sink };

	if (sink)
		tcp_read_sock(sk, &desc, sink_read);
}

static int sink_option(struct knet_sink *sink, int name, const void *value, int len)
{
	return sink->sock->ops->setsockopt(sink->sock, SOL_TCP, name,
					   KERNEL_SOCKPTR((void *)value), len);
}

static int sink_option_int(struct knet_sink *sink, int name, int value)
{
	return sink_option(sink, name, &value, sizeof(value));
}

static int sink_address(bool v6, const struct knet_endpoint *endpoint,
			struct sockaddr_storage *address)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;
	struct sockaddr_in *in = (struct sockaddr_in *)address;

	memset(address, 0, sizeof(*address));
	if (v6) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(endpoint->port);
		memcpy(&in6->sin6_addr, endpoint->address, sizeof(in6->sin6_addr));
		return sizeof(*in6);
	}
	in->sin_family = AF_INET;
	in->sin_port = htons(endpoint->port);
	memcpy(&in->sin_addr, endpoint->address, sizeof(in->sin_addr));
	return sizeof(*in);
}

/* Makes it an established connection without a handshake: as one that is restored. */
static int sink_establish(struct knet_sink *sink, bool v6, const struct knet_endpoint *local,
			  const struct knet_endpoint *peer)
{
	struct tcp_repair_opt scale = {
		.opt_code = TCPOPT_WINDOW,
		.opt_val = SINK_WINDOW_SCALE | SINK_WINDOW_SCALE << 16,
	};
	static const int queues[] = { TCP_RECV_QUEUE, TCP_SEND_QUEUE };
	struct sockaddr_storage address;
	int err, i, len;

	sock_set_rcvbuf(sink->sock->sk, SINK_BUFFER);
	err = sink_option_int(sink, TCP_REPAIR, TCP_REPAIR_ON);
	for (i = 0; !err && i < ARRAY_SIZE(queues); i++) {
		err = sink_option_int(sink, TCP_REPAIR_QUEUE, queues[i]);
		if (!err)
			err = sink_option_int(sink, TCP_QUEUE_SEQ, KNET_SINK_SEQUENCE);
	}
	if (err)
		return err;
	len = sink_address(v6, local, &address);
	err = kernel_bind(sink->sock, (struct sockaddr_unsized *)&address, len);
	if (err)
		return err;
	len = sink_address(v6, peer, &address);
	err = kernel_connect(sink->sock, (struct sockaddr_unsized *)&address, len, 0);
	if (!err)
		err = sink_option(sink, TCP_REPAIR_OPTIONS, &scale, sizeof(scale));
	if (!err)
		err = sink_option_int(sink, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP);
	return err;
}

/*
 * A TCP connection with @peer, of which the stream consists of messages of
 * @message bytes. Context: process.
 */
struct knet_sink *knet_sink_connect(bool v6, const struct knet_endpoint *local,
				    const struct knet_endpoint *peer, u32 message,
				    knet_sink_fn fn, void *data)
{
	struct knet_sink *sink = sink_alloc(fn, data);
	struct sock *sk;
	int err;

	if (!sink)
		return ERR_PTR(-ENOMEM);
	sink->message = message;
	sink->left = message;
	err = sock_create_kern(sink->net, v6 ? AF_INET6 : AF_INET, SOCK_STREAM, IPPROTO_TCP,
			       &sink->sock);
	if (err) {
		sink_free(sink);
		return ERR_PTR(err);
	}
	sk = sink->sock->sk;
	err = sink_establish(sink, v6, local, peer);
	if (err) {
		sock_release(sink->sock);
		sink_free(sink);
		return ERR_PTR(err);
	}
	sock_no_linger(sk);
	lock_sock(sk);
	sink->data_ready = sk->sk_data_ready;
	sk->sk_user_data = sink;
	sk->sk_data_ready = sink_data_ready;
	release_sock(sk);
	return sink;
}

/* Returns when nobody is inside its function. Context: process. */
void knet_sink_close(struct knet_sink *sink)
{
	struct sock *sk = sink->sock->sk;

	if (sink->data_ready) {
		/* Who calls the function has the lock. */
		lock_sock(sk);
		sk->sk_data_ready = sink->data_ready;
		sk->sk_user_data = NULL;
		release_sock(sk);
		sock_release(sink->sock);
	} else {
		udp_tunnel_sock_release(sk);
		synchronize_rcu();
	}
	sink_free(sink);
}
