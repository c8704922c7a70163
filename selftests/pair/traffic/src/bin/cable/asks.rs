// SPDX-License-Identifier: GPL-2.0

//! Requests to a memcached server in the overlay network, and how long their answers take.
//!
//! They leave at a steady rate, whether or not what was asked before is answered, and a request
//! without an answer counts as one that took a second at least. They are memcached's over UDP: in front of the text
//! are the number of the request, the number of the datagram and how many there are, and two zeroes.

use std::{
    error::Error,
    str::FromStr,
    sync::{
        mpsc::{
            Receiver,
            RecvTimeoutError, //
        },
        Mutex,
    },
    thread,
    time::{
        Duration,
        Instant, //
    },
};

use traffic::percentile;

use crate::{
    frame::{
        datagram_from,
        tunnelled_to,
        End, //
    },
    locked,
};

/// Where requests come from, and answers go to.
const PORT: u16 = 49_153;
/// The header of a datagram.
const HEADER: usize = 8;
const REQUEST: &[u8] = b"get memprobe\r\n";
const ANSWER: &[u8] = b"VALUE memprobe ";
/// How long after the last request an answer may come.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whom to ask, and how often.
#[derive(Debug, PartialEq)]
pub struct Ask {
    to: End,
    port: u16,
    period: Duration,
}

/// `RATE MAC,IP PORT`: requests a second.
impl FromStr for Ask {
    type Err = Box<dyn Error>;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words: Vec<_> = text.split(' ').collect();
        let [rate, to, port] = words[..] else {
            return Err("expected RATE MAC,IP PORT".into());
        };

        Ok(Self {
            to: to.parse()?,
            port: port.parse()?,
            period: Duration::from_secs(1)
                .checked_div(rate.parse()?)
                .ok_or("a rate of nothing")?,
        })
    }
}

/// A request: when it was due, and how long after that its answer came.
struct Request {
    due: Instant,
    took: Option<Duration>,
}

/// The requests that have left, by their numbers.
#[derive(Default)]
pub struct Asked(Mutex<Vec<Request>>);

impl Asked {
    /// Asks what comes from `asks`, each until the next comes, and prints a line of each.
    pub fn serve(&self, asks: &Receiver<Option<Ask>>, from: &End, send: impl Fn(&[u8]) -> bool) {
        for ask in asks {
            let Some(ask) = ask else { continue };

            locked(&self.0).clear();
            let mut next = Instant::now();
            loop {
                next += ask.period;
                match asks.recv_timeout(next.saturating_duration_since(Instant::now())) {
                    Err(RecvTimeoutError::Timeout) => (),
                    Err(RecvTimeoutError::Disconnected) => return,
                    Ok(_) => break,
                }
                let request = request(self.note(next));
                if !send(&datagram_from(PORT, from, &ask.to, ask.port, &request)) {
                    return;
                }
            }
            thread::sleep(PATIENCE);
            println!("{}", self.report());
        }
    }

    /// Notes that another one leaves, which was due then: what waits for the server to take those before it
    /// is no faster for that. Its number.
    fn note(&self, due: Instant) -> u16 {
        let mut requests = locked(&self.0);

        requests.push(Request { due, took: None });
        (requests.len() - 1) as u16
    }

    /// Whether `frame` is an answer, which is noted.
    pub fn is_answer(&self, frame: &[u8]) -> bool {
        let Some((header, text)) =
            tunnelled_to(PORT, frame).and_then(|data| data.split_at_checked(HEADER))
        else {
            return false;
        };
        let number = usize::from(u16::from_be_bytes([header[0], header[1]]));

        if let Some(request) = locked(&self.0).get_mut(number) {
            if text.starts_with(ANSWER) && request.took.is_none() {
                request.took = Some(request.due.elapsed());
            }
        }
        true
    }

    /// `answers SENT ANSWERED P50 P99`, in microseconds.
    fn report(&self) -> String {
        let requests = locked(&self.0);
        let answered = requests.iter().filter(|one| one.took.is_some()).count();
        let mut times: Vec<_> = requests
            .iter()
            .map(|one| one.took.unwrap_or_else(|| one.due.elapsed().max(PATIENCE)))
            .collect();

        times.sort_unstable();
        let micros = |per_mille| percentile(&times, per_mille).as_micros();
        format!(
            "answers {} {answered} {} {}",
            times.len(),
            micros(500),
            micros(990)
        )
    }
}

/// A request of that number.
fn request(number: u16) -> Vec<u8> {
    let header: [u8; HEADER - 2] = [0, 0, 0, 1, 0, 0];

    [&number.to_be_bytes()[..], &header, REQUEST].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Tunnel;

    fn end(last: u8) -> End {
        format!("02:00:00:00:00:{last:02x},10.0.0.{last}")
            .parse()
            .unwrap()
    }

    /// What the cable gets of a server, in the tunnel.
    fn answer(number: u16, text: &[u8]) -> Vec<u8> {
        let data = [&request(number)[..HEADER], text].concat();
        let inner = datagram_from(11211, &end(2), &end(1), PORT, &data);

        Tunnel {
            from: end(2),
            to: end(1),
            vni: 42,
        }
        .wrap(&inner)
    }

    #[test]
    fn an_ask() {
        let ask = |text: &str| text.parse::<Ask>().ok();

        assert_eq!(
            ask("500 02:00:00:00:00:02,10.0.0.2 11211"),
            Some(Ask {
                to: end(2),
                port: 11211,
                period: Duration::from_millis(2)
            })
        );
        assert_eq!(ask("0 02:00:00:00:00:02,10.0.0.2 11211"), None);
        assert_eq!(ask("500 10.0.0.2 11211"), None);
        assert_eq!(ask("500"), None);
    }

    #[test]
    fn answers_are_noted_once() {
        let asked = Asked::default();

        assert_eq!(
            (
                asked.note(Instant::now()),
                asked.note(Instant::now()),
                asked.note(Instant::now())
            ),
            (0, 1, 2)
        );
        assert!(asked.is_answer(&answer(1, b"VALUE memprobe 0 1\r\nx\r\nEND\r\n")));
        assert!(asked.is_answer(&answer(0, b"END\r\n")));
        assert!(asked.is_answer(&answer(9, ANSWER)));
        assert!(!asked.is_answer(&datagram_from(1, &end(2), &end(1), PORT, &[0; 64])));
        assert!(asked.report().starts_with("answers 3 1 "));
    }

    #[test]
    fn what_is_not_answered_took_a_second() {
        let asked = Asked::default();

        asked.note(Instant::now());
        assert!(asked.report().ends_with(" 1000000 1000000"));
    }
}
