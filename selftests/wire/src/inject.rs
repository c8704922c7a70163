// SPDX-License-Identifier: GPL-2.0

//! Injects the cases of a group and tells what came out in a container.

use std::{
    collections::BTreeMap,
    fs,
    net::{
        IpAddr,
        Ipv4Addr,
        Ipv6Addr,
        SocketAddr,
        UdpSocket, //
    },
    thread,
    time::{
        Duration,
        Instant, //
    }, //
};

use anyhow::{
    anyhow,
    bail,
    ensure,
    Context,
    Result, //
};
use clap::{
    Args,
    Command,
    FromArgMatches, //
};

use crate::{
    cases::{
        Case,
        Group,
        Recipe,
        Transport,
        GROUPS, //
    },
    content::{
        self,
        datagram, //
    },
    end,
    frame::{
        Ethernet,
        Ip,
        Mac,
        Pair,
        Udp,
        Vxlan, //
    },
    netns,
    packet::PacketSocket,
    udp::{
        self,
        Received, //
    }, //
};

/// How long nothing must come before everything has.
const QUIET: Duration = Duration::from_millis(150);

/// How long to wait for what is to come.
const PATIENCE: Duration = Duration::from_secs(2);

/// Options of `inject`.
#[derive(Args)]
pub struct Options {
    /// The group of cases, or `list`.
    group: String,
    /// Only cases whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// The namespace and the device to send from.
    #[arg(long, default_value = "remote")]
    from: String,
    #[arg(long, default_value = "nic1")]
    device: String,
    /// The device that receives, in the namespace of init.
    #[arg(long, default_value = "nic0")]
    receiver: String,
    /// The outer addresses.
    #[arg(long, default_value = "192.168.10.2")]
    outer_source: IpAddr,
    #[arg(long, default_value = "192.168.10.1")]
    outer_destination: IpAddr,
    /// The port and the identifier of the VXLAN network.
    #[arg(long, default_value_t = 4789)]
    vxlan_port: u16,
    #[arg(long, default_value_t = 100)]
    vni: u32,
    /// The inner link-layer addresses.
    #[arg(long, default_value = "02:00:00:00:00:02", value_parser = mac)]
    source_mac: Mac,
    #[arg(long, default_value = "02:00:00:00:00:11", value_parser = mac)]
    destination_mac: Mac,
    /// The inner addresses.
    #[arg(long, default_value = "10.100.0.2")]
    source: Ipv4Addr,
    #[arg(long, default_value = "10.100.0.11")]
    destination: Ipv4Addr,
    #[arg(long, default_value = "fd00:100::2")]
    source6: Ipv6Addr,
    #[arg(long, default_value = "fd00:100::11")]
    destination6: Ipv6Addr,
    /// The inner destination port.
    #[arg(long, default_value_t = 5001)]
    port: u16,
    /// The namespace where to listen on that port.
    #[arg(long, default_value = "c1")]
    to: String,
    /// How often to inject each case.
    #[arg(long, default_value_t = 1)]
    times: u32,
    /// How often to inject the same cases first as they are without other options. Nothing is
    /// told of these, but each has to arrive.
    #[arg(long, default_value_t = 0)]
    lead: u32,
    /// How many datagrams are to come: only for more than that, a short while is enough.
    #[arg(long, default_value_t = 0)]
    awaited: u32,
}

fn mac(text: &str) -> Result<Mac> {
    let bytes = text
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16))
        .collect::<Result<Vec<_>, _>>()?;

    bytes
        .try_into()
        .map_err(|_| anyhow!("{text} is not a MAC address"))
}

/// Injects, and prints what is to be expected and what arrived.
pub fn run(options: &Options) -> Result<()> {
    if options.group == "list" {
        GROUPS.iter().for_each(|(name, _)| println!("{name}"));
        return Ok(());
    }

    let cases = cases(options)?;
    let socket = netns::within(&options.from, || PacketSocket::open(&options.device, false))?;
    let listener = netns::within(&options.to, || {
        let socket = end::bound(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), options.port))?;
        end::tell_all(&socket)?;
        Ok(socket)
    })?;

    lead(options, &listener)?;
    let before = arrivals(options)?;
    for _ in 0..options.times {
        send(&socket, &cases)?;
    }
    let wanted = u64::from(number_of(&cases) * options.times);
    let arrived = wait(options, before, wanted)?;
    println!("sent={wanted} arrived={arrived}");
    expect(&cases, options.times);
    listen(&listener, &cases, options.awaited)
}

/// Injects what goes first, and waits until all of it has arrived.
fn lead(options: &Options, listener: &UdpSocket) -> Result<()> {
    if options.lead == 0 {
        return Ok(());
    }
    let plain = ["inject", &options.group, "--only", &options.only];
    let plain = Options::augment_args(Command::new("inject")).try_get_matches_from(plain)?;
    let plain = Options::from_arg_matches(&plain)?;
    let cases = cases(&plain)?;
    let socket = netns::within(&plain.from, || PacketSocket::open(&plain.device, false))?;

    for _ in 0..options.lead {
        send(&socket, &cases)?;
    }
    let wanted = number_of(&cases) * options.lead;
    let arrived = listened(listener, wanted, |_, _| ())?;
    ensure!(
        arrived >= wanted,
        "only {arrived} of {wanted} arrived of what went first"
    );
    Ok(())
}

/// The frames to inject.
fn cases(options: &Options) -> Result<Vec<Case>> {
    let (_, fill) = GROUPS
        .iter()
        .find(|(name, _)| *name == options.group)
        .ok_or_else(|| anyhow!("{} is not a group", options.group))?;
    let v4 = recipe(options, Pair::V4(options.source, options.destination))?;
    let v6 = recipe(options, Pair::V6(options.source6, options.destination6))?;
    let mut group = Group {
        v4: &v4,
        v6: &v6,
        cases: Vec::new(),
    };

    fill(&mut group);
    // The content of a case tells its number, so all keep their place in the list.
    let mut cases = group.cases;
    for case in &mut cases {
        if !case.name.contains(&options.only) {
            case.frame.clear();
        }
    }
    Ok(cases)
}

/// How many of the cases are to be injected.
fn number_of(cases: &[Case]) -> u32 {
    cases.iter().filter(|case| !case.frame.is_empty()).count() as u32
}

fn recipe(options: &Options, pair: Pair) -> Result<Recipe> {
    let outer = match (options.outer_source, options.outer_destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => Pair::V4(source, destination),
        (IpAddr::V6(source), IpAddr::V6(destination)) => Pair::V6(source, destination),
        _ => bail!("outer addresses of two families"),
    };

    Ok(Recipe {
        outer_ethernet: Ethernet::new(
            netns::within(&options.from, || address_of(&options.device))?,
            netns::within("", || address_of(&options.receiver))?,
            outer.ethertype(),
        ),
        outer: Ip::new(outer, 17),
        outer_udp: Udp::new(50000, options.vxlan_port),
        vxlan: Vxlan::new(options.vni),
        ethernet: Ethernet::new(
            options.source_mac,
            options.destination_mac,
            pair.ethertype(),
        ),
        ip: Ip::new(pair, 17),
        transport: Transport::Udp(Udp::new(40000, options.port)),
        padding: 0,
    })
}

/// The link-layer address of `device` in this thread's namespace.
pub fn address_of(device: &str) -> Result<Mac> {
    nix::ifaddrs::getifaddrs()?
        .filter(|interface| interface.interface_name == device)
        .find_map(|interface| interface.address?.as_link_addr()?.addr())
        .ok_or_else(|| anyhow!("{device} has no address"))
}

/// How many packets the receiving device has received.
fn arrivals(options: &Options) -> Result<u64> {
    let path = format!("/sys/class/net/{}/statistics/rx_packets", options.receiver);
    let text = fs::read_to_string(&path).with_context(|| path)?;

    Ok(text.trim().parse()?)
}

/// Sends all frames, not faster than an emulated machine can take them.
fn send(socket: &PacketSocket, cases: &[Case]) -> Result<()> {
    for (at, case) in cases
        .iter()
        .enumerate()
        .filter(|(_, case)| !case.frame.is_empty())
    {
        socket
            .send(&case.frame)
            .with_context(|| case.name.clone())?;
        if at % 16 == 15 {
            thread::sleep(Duration::from_millis(2));
        }
    }
    Ok(())
}

/// Waits until `wanted` frames more than `before` have arrived, or none comes any more.
fn wait(options: &Options, before: u64, wanted: u64) -> Result<u64> {
    let mut last = (0, Instant::now());

    while last.0 < wanted && last.1.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(5));
        let arrived = arrivals(options)? - before;
        if arrived != last.0 {
            last = (arrived, Instant::now());
        }
    }
    Ok(last.0)
}

/// Says which counters of the module are to move by how much.
fn expect(cases: &[Case], times: u32) {
    let mut sums = BTreeMap::<_, u32>::new();

    for case in cases.iter().filter(|case| !case.frame.is_empty()) {
        *sums.entry(case.expect).or_default() += times;
    }
    sums.iter()
        .for_each(|(counter, count)| println!("expect {counter} {count}"));
}

/// Says what the container got.
fn listen(socket: &UdpSocket, cases: &[Case], awaited: u32) -> Result<()> {
    let mut lines = BTreeMap::<_, u32>::new();

    listened(socket, awaited, |received, bytes| {
        *lines.entry(line(received, bytes, cases)).or_default() += 1;
    })?;
    lines
        .iter()
        .for_each(|(line, times)| println!("{line} times={times}"));
    Ok(())
}

/// Receives until nothing comes any more, and waits longer where less than `awaited` came.
/// Returns how many did.
fn listened(
    socket: &UdpSocket,
    awaited: u32,
    mut each: impl FnMut(&Received, &[u8]),
) -> Result<u32> {
    let mut buffer = vec![0; 1 << 16];
    let mut last = Instant::now();
    let mut count = 0;

    while last.elapsed() < if count < awaited { PATIENCE } else { QUIET } {
        if let Some(received) = udp::next(socket, &mut buffer)? {
            each(&received, &buffer[..received.len]);
            last = Instant::now();
            count += 1;
        }
    }
    Ok(count)
}

fn line(received: &Received, bytes: &[u8], cases: &[Case]) -> String {
    let (number, _) = datagram::claims(bytes);
    let name = cases
        .get(number as usize)
        .map_or("?", |case| case.name.as_str());

    format!(
        "got {name} from={} tos={:#04x} ttl={} len={} content={:016x}",
        received.from,
        received.tos,
        received.ttl,
        received.len,
        content::hash(bytes),
    )
}
