// SPDX-License-Identifier: GPL-2.0

//! What `no-panic.sh` compiles: the pure code, with its generic functions instantiated.

#![no_std]
#![allow(missing_docs)]

#[path = "../../prism/classify/mod.rs"]
pub mod classify;

use classify::{
    bucket::Local,
    cache::{
        self,
        Known,
        Place,
        Ticket,
        Vacancy, //
    },
    drr::Drr,
    histogram,
    layers::{
        self,
        Found,
        Named, //
    },
    parse,
    rule::{
        Match,
        Rate, //
    },
    table::{
        Entry,
        Error,
        Group,
        Hit,
        Slot, //
    },
    train::Train,
    Bucket,
    Cache,
    Family,
    Flow,
    Table,
    Unclassified,
    VxlanPorts, //
};

pub struct Ports([(Family, u16); 4]);

impl VxlanPorts for Ports {
    fn is_vxlan(&self, family: Family, port: u16) -> bool {
        self.0.contains(&(family, port))
    }
}

type Memory<'a, T> = &'a mut [T];
type Mutable<'a> = Table<Memory<'a, Group>, Memory<'a, Slot>, Memory<'a, Entry>>;

#[no_mangle]
pub fn packet_parse(
    family: Family,
    head: &[u8],
    len: usize,
    ports: &Ports,
) -> Result<Flow, Unclassified> {
    parse(family, head, len, ports)
}

#[no_mangle]
pub fn cache_find(
    cache: &Cache<Memory<'_, cache::Slot<u64>>>,
    family: Family,
    head: &[u8],
    len: usize,
    ports: &Ports,
    stamp: u64,
) -> Known {
    cache.find(family, head, len, ports, stamp)
}

#[no_mangle]
pub fn cache_note(
    cache: &mut Cache<Memory<'_, cache::Slot<u64>>>,
    vacancy: Vacancy,
    head: &[u8],
    stamp: u64,
    rule: Option<usize>,
) -> Option<Place> {
    cache.note(vacancy, head, stamp, rule)
}

#[no_mangle]
pub fn cache_extra<'a>(
    cache: &'a mut Cache<Memory<'_, cache::Slot<u64>>>,
    ticket: Ticket,
) -> Option<&'a mut u64> {
    cache.extra(ticket)
}

#[no_mangle]
pub fn cache_occupant<'a>(
    cache: &'a Cache<Memory<'_, cache::Slot<u64>>>,
    vacancy: Vacancy,
) -> Option<&'a u64> {
    cache.occupant(vacancy)
}

#[no_mangle]
pub fn cache_resume(
    cache: &Cache<Memory<'_, cache::Slot<u64>>>,
    ticket: Ticket,
    stamp: u64,
) -> Option<Place> {
    cache.resume(ticket, stamp)
}

#[no_mangle]
pub fn table_build<'a>(
    rules: &[Match],
    seed: u64,
    groups: Memory<'a, Group>,
    slots: Memory<'a, Slot>,
    entries: Memory<'a, Entry>,
) -> Result<Mutable<'a>, Error> {
    Table::build(rules.iter(), seed, groups, slots, entries)
}

#[no_mangle]
pub fn table_lookup(table: &Mutable<'_>, flow: &Flow) -> Option<usize> {
    table.lookup(flow)
}

#[no_mangle]
pub fn table_lookup_among(table: &Mutable<'_>, flow: &Flow, counts: &[bool]) -> Option<Hit> {
    table.lookup_among(flow, |rule| counts.get(rule) == Some(&true))
}

#[no_mangle]
pub fn table_fits_with(table: &Mutable<'_>, other: &Mutable<'_>) -> bool {
    table.fits_with(other)
}

pub struct Rule {
    name: &'static [u8],
    is_withdrawn: bool,
}

impl Named for Rule {
    fn name(&self) -> &[u8] {
        self.name
    }

    fn is_withdrawn(&self) -> bool {
        self.is_withdrawn
    }
}

#[no_mangle]
pub fn layers_is_due(rules: usize, pending: usize) -> bool {
    layers::is_due(rules, pending)
}

#[no_mangle]
pub fn layers_merge<'a>(old: &'a [&'a Rule], recent: &'a [&'a Rule], out: &mut [&'a Rule]) {
    for (rule, place) in layers::merge(old, recent).zip(out) {
        *place = rule;
    }
}

#[no_mangle]
pub fn layers_place(list: &[&Rule], name: &[u8]) -> usize {
    layers::place(list, name)
}

#[no_mangle]
pub fn layers_preferred(old: Option<Hit>, recent: Option<Hit>, places: &[usize]) -> Option<Found> {
    layers::preferred(old, recent, |rule| {
        places.get(rule).map_or(0, |place| *place)
    })
}

#[no_mangle]
pub fn bucket_take(bucket: &Bucket, local: &mut Local, rate: Rate, now: u64) -> bool {
    bucket.take(local, rate, now)
}

#[no_mangle]
pub fn drr_next(drr: &mut Drr<3>, waits: &[bool], weights: &[u32]) -> Option<usize> {
    drr.next(
        |queue| waits.get(queue) == Some(&true),
        |queue| weights.get(queue).map_or(0, |weight| *weight),
    )
}

#[no_mangle]
pub fn drr_spend(drr: &mut Drr<3>, queue: usize, bytes: u32) {
    drr.spend(queue, bytes);
}

#[no_mangle]
pub fn train_keeps(
    train: &mut Train,
    len: u32,
    tick: u32,
    term: u32,
    always: bool,
    holds: bool,
) -> bool {
    train.keeps(len, tick, term, always, || holds)
}

#[no_mangle]
pub fn histogram_bucket(value: u64) -> usize {
    histogram::bucket(value)
}

#[no_mangle]
pub fn histogram_least(bucket: usize) -> u64 {
    histogram::least(bucket)
}

// What has to be seen.

#[no_mangle]
pub fn panics_by_index(bytes: &[u8], at: usize) -> u8 {
    bytes[at]
}

#[no_mangle]
pub fn panics_by_range(bytes: &[u8], from: usize, to: usize) -> &[u8] {
    &bytes[from..to]
}

#[no_mangle]
pub fn panics_by_copy(to: &mut [u8], from: &[u8]) {
    to.copy_from_slice(from);
}

#[no_mangle]
pub fn panics_by_unwrap(value: Option<u8>) -> u8 {
    value.unwrap()
}

#[no_mangle]
pub fn panics_by_expect(value: Result<u8, u8>) -> u8 {
    value.expect("")
}

#[no_mangle]
pub fn panics_by_sum(one: u8, other: u8) -> u8 {
    one + other
}
