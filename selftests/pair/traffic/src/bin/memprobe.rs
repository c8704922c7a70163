// SPDX-License-Identifier: GPL-2.0

//! Measures how long a memcached server takes to answer, while another client loads it.
//!
//! Debian's load generator for memcached tells throughput, but of latency only a histogram in powers
//! of two. This client sends one `get` after another over a connection of its own, with a pause
//! between them, and prints exact percentiles. It does not load the server itself.

use std::{
    env,
    error::Error,
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::ExitCode,
    time::{Duration, Instant},
};

use traffic::Figures;

/// The value that is read, in bytes: memaslap's default.
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
    let [address, seconds, pause] = arguments else {
        return Err("usage: memprobe ADDRESS:PORT SECONDS PAUSE_US".into());
    };
    let duration = Duration::from_secs_f64(seconds.parse()?);
    let pause = Duration::from_micros(pause.parse()?);
    let mut connection = Connection::open(address)?;
    let start = Instant::now();
    let latencies = measure(&mut connection, duration, pause)?;

    println!(
        "{}",
        Figures::new(latencies.len(), latencies, start.elapsed())
    );
    Ok(())
}

/// How long each `get` of `duration` took.
fn measure(
    connection: &mut Connection,
    duration: Duration,
    pause: Duration,
) -> io::Result<Vec<Duration>> {
    let mut latencies = Vec::with_capacity(1 << 16);
    let start = Instant::now();

    connection.set()?;
    while start.elapsed() < duration {
        let sent = Instant::now();
        connection.get()?;
        latencies.push(sent.elapsed());
        std::thread::sleep(pause);
    }
    Ok(latencies)
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

    /// Stores the value that [`Self::get`] reads.
    fn set(&mut self) -> io::Result<()> {
        let value = "x".repeat(VALUE);

        self.send(&format!("set memprobe 0 0 {VALUE}\r\n{value}\r\n"))?;
        self.expect("STORED\r\n")
    }

    fn get(&mut self) -> io::Result<()> {
        self.send("get memprobe\r\n")?;
        self.expect(&format!("VALUE memprobe 0 {VALUE}\r\n"))?;
        self.answer.resize(VALUE, 0);
        self.stream.read_exact(&mut self.answer)?;
        self.expect("\r\n")?;
        self.expect("END\r\n")
    }

    fn send(&mut self, request: &str) -> io::Result<()> {
        self.stream.get_mut().write_all(request.as_bytes())
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
