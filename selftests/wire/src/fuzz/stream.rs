// SPDX-License-Identifier: GPL-2.0

//! A connection whose client is made of frames: what its server reads is told, however it was merged.

use std::{
    io::{
        ErrorKind,
        Read, //
    },
    net::TcpStream,
    os::fd::AsFd,
    time::{
        Duration,
        Instant, //
    },
};

use nix::sys::socket::{
    setsockopt,
    sockopt, //
};

use super::{
    burst::{
        Maker,
        TCP_PORTS,
        WHOLE, //
    },
    choice::Choice,
    draft::{
        Draft,
        Sum,
        Transport, //
    },
    mutate,
    parse,
    place::Place,
    play::HELD,
    port::Port,
    shape::Shape,
    watch::Watch, //
};
use crate::{
    content,
    frame::{
        Mac,
        Tcp, //
    },
};

const ACK: u8 = 16;
const PUSH: u8 = 8;
const SYN: u8 = 2;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long nothing must come before segments are sent again.
const QUIET: Duration = Duration::from_millis(100);

/// A segment, the length of its first piece, and what a NIC makes of it.
struct Step {
    draft: Draft,
    cut: usize,
    shape: Shape,
}

/// What one connection carries.
pub struct Stream {
    pub place: Place,
    v6: bool,
    host: Mac,
    client: u16,
    server: u16,
    start: u32,
    len: usize,
    /// What is sent at first, in this order.
    steps: Vec<Step>,
    /// What all of these are then, which come at once.
    burst: Option<Shape>,
    /// The same segments as they should be.
    again: Vec<Draft>,
}

impl Stream {
    pub fn new(choice: &mut Choice, index: u32, maker: &Maker) -> Self {
        let in_pieces = maker.in_pieces;
        let mut stream = Self {
            place: choice.of(&Place::ALL),
            v6: choice.one_in(2),
            host: maker.host,
            client: 32768 + (index % 28000) as u16,
            server: choice.of(&TCP_PORTS),
            start: choice.next() as u32,
            len: 0,
            steps: Vec::new(),
            burst: (maker.has_shapes && (maker.has_segments_only || choice.one_in(2)))
                .then(|| Shape::usual(choice)),
            again: Vec::new(),
        };
        let size = choice.of(&[1, 64, 536, 1000, 1360]);
        let count = choice.below(19) + 2;
        let sum = choice.of(&[Sum::Written, Sum::Written, Sum::Inner, Sum::Outer]);

        for number in 0..count {
            let is_last = number == count - 1;
            let size = if is_last { size / 2 + 1 } else { size };
            let flags = if is_last { ACK | PUSH } else { ACK };
            let draft = stream.segment(flags, stream.len, size);
            stream.len += size;
            stream.again.push(draft.clone());
            stream.step(choice, draft, sum, maker, index);
        }
        if choice.one_in(4) {
            let (one, other) = (choice.below(count), choice.below(count));
            stream.steps.swap(one, other);
        }
        let fits = !maker.has_shapes || stream.len <= WHOLE;
        if !stream.place.is_tunnelled() && !in_pieces && fits && size > 500 && choice.one_in(3) {
            stream.send_as_one(size);
        }
        stream
    }

    /// Adds a segment, which may be unusual, or come twice, or with one without data in front.
    fn step(&mut self, choice: &mut Choice, draft: Draft, sum: Sum, maker: &Maker, index: u32) {
        let shape = maker.shape_of(choice, false);
        let cut = |choice: &mut Choice| match maker.in_pieces {
            true => choice.of(&[0, 34, 54, 60, 64, 104, 128]),
            false => 0,
        };
        let mut sent = draft.clone();
        sent.sum = sum;

        if choice.one_in(12) {
            let draft = self.segment(ACK, self.len - draft.content.len(), 0);
            let cut = cut(choice);
            self.steps.push(Step { draft, cut, shape });
        }
        if choice.one_in(10) {
            mutate::segment(choice, &mut sent, maker.id(index));
        }
        let cut = cut(choice);
        self.steps.push(Step {
            draft: sent,
            cut,
            shape,
        });
        if choice.one_in(16) {
            self.steps.push(Step { draft, cut, shape });
        }
    }

    /// One packet that stands for all segments.
    fn send_as_one(&mut self, size: usize) {
        let mut draft = self.segment(ACK | PUSH, 0, self.len);
        draft.sum = Sum::Inner;
        draft.segment = size;
        self.steps = vec![Step {
            draft,
            cut: 0,
            shape: Shape::plain(),
        }];
    }

    fn segment(&self, flags: u8, at: usize, len: usize) -> Draft {
        let tcp = Tcp {
            seq: self.start.wrapping_add(at as u32),
            flags,
            ..Tcp::syn(self.client, self.server)
        };
        let mut content = vec![0; len];

        content::fill(self.start.into(), at as u64, &mut content);
        Draft::new(self.place, self.v6, self.host, Transport::Tcp(tcp), content)
    }

    /// The frames, as far as they do not depend on the server.
    pub fn frames(&self) -> Vec<Vec<u8>> {
        self.steps
            .iter()
            .map(|step| step.draft.shot().frame)
            .collect()
    }

    /// Plays the connection, and tells what the server got.
    pub fn play(&self, port: &Port, watch: &Watch) -> String {
        let what = format!(
            "stream {:?} v6={} port={}",
            self.place, self.v6, self.server
        );
        let mut syn = self.segment(SYN, 0, 0);
        if let Transport::Tcp(tcp) = &mut syn.transport {
            tcp.seq = self.start.wrapping_sub(1);
        }

        port.send(&syn.shot());
        let Some(ack) = self.answer(port) else {
            return format!("{what} has no answer");
        };
        port.send(&acknowledging(self.segment(ACK, 0, 0), ack).shot());
        let Some(mut server) = watch.accept(self.place, self.server, self.client, PATIENCE) else {
            return format!("{what} is not accepted");
        };
        for (number, step) in self.steps.iter().enumerate() {
            let has_next = number + 1 < self.steps.len();
            let mut shot = acknowledging(step.draft.clone(), ack).shot();
            shot.cut = step.cut;
            shot.shape = match self.burst {
                Some(shape) if has_next => shape.before_next(),
                Some(shape) => shape,
                None => step.shape,
            };
            port.send(&shot);
        }
        let (got, rounds) = self.read(&mut server, port, ack);
        // What is still held would be answered otherwise behind the end.
        std::thread::sleep(HELD);
        // Ends at once, so that nobody remembers the ports.
        let _ = setsockopt(
            &server.as_fd(),
            sockopt::Linger,
            &libc::linger {
                l_onoff: 1,
                l_linger: 0,
            },
        );

        let mut wanted = vec![0; self.len];
        content::fill(self.start.into(), 0, &mut wanted);
        let is_right = got == wanted;
        format!(
            "{what} len={} is_right={is_right} rounds={rounds}",
            got.len()
        )
    }

    /// The number to acknowledge, from the server's answer to the SYN.
    fn answer(&self, port: &Port) -> Option<u32> {
        let end = Instant::now() + PATIENCE;
        let mut buffer = vec![0; 1 << 17];

        while Instant::now() < end {
            let frame = port.receive(&mut buffer);
            let segment = frame
                .and_then(parse::packet)
                .and_then(|packet| packet.innermost().segment());
            match segment {
                Some(segment)
                    if segment.flags & SYN != 0
                        && (segment.source, segment.destination) == (self.server, self.client)
                        && segment.ack == self.start =>
                {
                    return Some(segment.seq.wrapping_add(1));
                }
                _ => std::thread::yield_now(),
            }
        }
        None
    }

    /// What the server reads, and how often all had to be sent again.
    fn read(&self, server: &mut TcpStream, port: &Port, ack: u32) -> (Vec<u8>, u32) {
        let mut got = Vec::new();
        let mut buffer = vec![0; 1 << 16];
        let mut last = Instant::now();
        let mut rounds = 0;

        while got.len() < self.len {
            match server.read(&mut buffer) {
                Ok(0) => break,
                Ok(len) => {
                    got.extend(&buffer[..len]);
                    last = Instant::now();
                }
                Err(error) if error.kind() != ErrorKind::WouldBlock => break,
                Err(_) if last.elapsed() < QUIET => std::thread::yield_now(),
                Err(_) if rounds == 5 => break,
                Err(_) => {
                    rounds += 1;
                    for draft in &self.again {
                        port.send(&acknowledging(draft.clone(), ack).shot());
                    }
                    last = Instant::now();
                }
            }
        }
        (got, rounds)
    }
}

fn acknowledging(mut draft: Draft, ack: u32) -> Draft {
    if let Transport::Tcp(tcp) = &mut draft.transport {
        tcp.ack = ack;
    }
    draft
}
