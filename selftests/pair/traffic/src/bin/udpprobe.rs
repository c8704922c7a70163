// SPDX-License-Identifier: GPL-2.0

//! Measures how long a server of sockperf takes to answer datagrams that are sent at a rate.
//!
//! sockperf's own client waits for ever for an answer that is lost when it sends one message after the
//! other, and spins between messages when it sends them at a rate. This one sleeps, counts what is lost,
//! and so also works where the network takes less than is sent.

use std::{
    env,
    error::Error,
    io,
    net::UdpSocket,
    process::ExitCode,
    thread,
    time::{
        Duration,
        Instant, //
    },
};

use traffic::Figures;

/// The size of a message, in bytes.
const SIZE: usize = 64;

/// How long after the last message answers may come.
const LINGER: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();

    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("udpprobe: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let [address, seconds, rate] = arguments else {
        return Err("usage: udpprobe ADDRESS:PORT SECONDS MESSAGES_PER_SECOND".into());
    };
    let duration = Duration::from_secs_f64(seconds.parse()?);
    let gap = Duration::try_from_secs_f64(1.0 / rate.parse::<f64>()?)?;
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect(address)?;

    let (start, answers) = (Instant::now(), socket.try_clone()?);
    let receiver = thread::spawn(move || receive(&answers, start + duration + LINGER));
    let sent = send(&socket, start, duration, gap);
    let received = receiver.join().map_err(|_| "the receiver failed")??;

    println!(
        "{}",
        Figures::new(sent.len(), latencies(&sent, &received), duration)
    );
    Ok(())
}

/// Sends messages and returns when. What is late is sent at once, so that a wait shows in each message
/// that had to wait.
fn send(socket: &UdpSocket, start: Instant, duration: Duration, gap: Duration) -> Vec<Instant> {
    let mut sent = Vec::new();
    let mut next = start;

    while next < start + duration {
        if let Some(early) = next.checked_duration_since(Instant::now()) {
            thread::sleep(early);
        }
        sent.push(Instant::now());
        // What the kernel refuses is lost, and counted as that.
        let _ = socket.send(&message(sent.len() as u64));
        next += gap;
    }
    sent
}

/// Answers, as the number of the message and when it came, until that moment.
fn receive(socket: &UdpSocket, until: Instant) -> io::Result<Vec<(u64, Instant)>> {
    let mut buffer = [0; SIZE];
    let mut received = Vec::new();

    while let Some(left) = until.checked_duration_since(Instant::now()) {
        socket.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        match socket.recv(&mut buffer) {
            Ok(_) => received.extend(number_of(&buffer).map(|number| (number, Instant::now()))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => (),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
    Ok(received)
}

/// How long each answer took.
fn latencies(sent: &[Instant], received: &[(u64, Instant)]) -> Vec<Duration> {
    received
        .iter()
        .filter_map(|(number, at)| {
            let index = usize::try_from(number.checked_sub(1)?).ok()?;
            at.checked_duration_since(*sent.get(index)?)
        })
        .collect()
}

/// A message of sockperf: its number from 1 on, flags, length, all big-endian.
fn message(number: u64) -> [u8; SIZE] {
    const CLIENT: u16 = 1;
    const WANTS_ANSWER: u16 = 2;
    let mut message = [0; SIZE];

    message[..8].copy_from_slice(&number.to_be_bytes());
    message[8..10].copy_from_slice(&(CLIENT | WANTS_ANSWER).to_be_bytes());
    message[10..14].copy_from_slice(&(SIZE as u32).to_be_bytes());
    message
}

fn number_of(message: &[u8]) -> Option<u64> {
    message
        .first_chunk()
        .map(|bytes| u64::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_its_number() {
        assert_eq!(number_of(&message(7)), Some(7));
        assert_eq!(message(7)[8..14], [0, 3, 0, 0, 0, 64]);
    }

    #[test]
    fn answers_find_their_messages() {
        let start = Instant::now();
        let later = |ms| start + Duration::from_millis(ms);
        let sent = [start, later(1), later(2)];
        let received = [(3, later(5)), (1, later(4)), (9, later(6)), (0, later(6))];

        assert_eq!(
            latencies(&sent, &received),
            [3, 4].map(Duration::from_millis)
        );
    }
}
