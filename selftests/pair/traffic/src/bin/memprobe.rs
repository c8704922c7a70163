// SPDX-License-Identifier: GPL-2.0

//! Measures how long a memcached server takes to answer, while another client loads it.
//!
//! Debian's load generator for memcached tells throughput, but of latency only a histogram in powers
//! of two. This client sends one `get` after another over a connection of its own, with a pause
//! between them, and prints exact percentiles. It does not load the server itself. With a size, it
//! stores values of so many bytes instead of reading one.

use std::{
    env,
    error::Error,
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::ExitCode,
    time::{Duration, Instant},
};

use traffic::Figures;

/// The value that is read, in bytes: memcaslap's default.
const VALUE: usize = 1024;

/// The longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();

    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("memprobe: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let (address, seconds, pause, size) = match arguments {
        [address, seconds, pause] => (address, seconds, pause, None),
        [address, seconds, pause, size] => (address, seconds, pause, Some(size.parse()?)),
        _ => return Err("usage: memprobe ADDRESS:PORT SECONDS PAUSE_US [BYTES]".into()),
    };
    let duration = Duration::from_secs_f64(seconds.parse()?);
    let pause = Duration::from_micros(pause.parse()?);
    let mut connection = Connection::open(address)?;
    let start = Instant::now();
    let latencies = measure(&mut connection, duration, pause, size)?;

    println!(
        "{}",
        Figures::new(latencies.len(), latencies, start.elapsed())
    );
    Ok(())
}

/// How long each `get` of `duration` took, or each `set` of a value of `size`.
fn measure(
    connection: &mut Connection,
    duration: Duration,
    pause: Duration,
    size: Option<usize>,
) -> io::Result<Vec<Duration>> {
    let mut latencies = Vec::with_capacity(1 << 16);
    let stored = set_request(size.unwrap_or(VALUE));

    connection.set(&stored)?;
    let start = Instant::now();
    while start.elapsed() < duration {
        let sent = Instant::now();
        match size {
            None => connection.get()?,
            Some(_) => connection.set(&stored)?,
        }
        latencies.push(sent.elapsed());
        std::thread::sleep(pause);
    }
    Ok(latencies)
}

/// What stores the value that [`Connection::get`] reads.
fn set_request(size: usize) -> Vec<u8> {
    let mut request = format!("set memprobe 0 0 {size}\r\n").into_bytes();

    request.resize(request.len() + size, b'x');
    request.extend(b"\r\n");
    request
}

/// A connection that speaks memcached's text protocol.
struct Connection {
    stream: BufReader<TcpStream>,
    answer: Vec<u8>,
}

impl Connection {
    fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;

        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Self {
            stream: BufReader::new(stream),
            answer: Vec::new(),
        })
    }

    fn set(&mut self, request: &[u8]) -> io::Result<()> {
        self.send(request)?;
        self.expect("STORED\r\n")
    }

    fn get(&mut self) -> io::Result<()> {
        self.send(b"get memprobe\r\n")?;
        self.expect(&format!("VALUE memprobe 0 {VALUE}\r\n"))?;
        self.answer.resize(VALUE, 0);
        self.stream.read_exact(&mut self.answer)?;
        self.expect("\r\n")?;
        self.expect("END\r\n")
    }

    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(request)
    }

    /// Reads one line, which must be `line`.
    fn expect(&mut self, line: &str) -> io::Result<()> {
        self.answer.clear();
        self.stream.read_until(b'\n', &mut self.answer)?;
        if self.answer == line.as_bytes() {
            return Ok(());
        }
        Err(io::Error::other(format!(
            "expected {line:?}, got {:?}",
            String::from_utf8_lossy(&self.answer)
        )))
    }
}
