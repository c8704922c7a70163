// SPDX-License-Identifier: GPL-2.0

use std::fs;

use tempfile::NamedTempFile;
use tokio::io::{
    AsyncReadExt,
    AsyncWriteExt, //
};
use tracing::level_filters::LevelFilter;

use super::*;
use crate::daemon::tests::FakeKernel;

/// What who listens at an address answers to a text.
async fn ask_at(address: SocketAddr, text: &str) -> String {
    let mut client = TcpStream::connect(address).await.unwrap();
    let mut answer = String::new();

    client.write_all(text.as_bytes()).await.unwrap();
    client.read_to_string(&mut answer).await.unwrap();
    answer
}

/// What the server answers to a text.
async fn ask(text: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(serve(listener, Report::default(), FakeKernel::default()));
    let answer = ask_at(address, text).await;

    server.abort();
    answer
}

#[tokio::test]
async fn metrics_are_told() {
    let answer = ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;

    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("content-type: application/openmetrics-text"));
    assert!(answer.contains("\nprism_up 1\n"));
    assert!(answer.ends_with("# EOF\n"));
}

#[tokio::test]
async fn only_metrics_are_told() {
    for (request, status) in [
        ("GET / HTTP/1.1", "404 Not Found"),
        ("GET /metrics/../etc/passwd HTTP/1.1", "404 Not Found"),
        ("GET //metrics HTTP/1.1", "404 Not Found"),
        ("POST / HTTP/1.1", "404 Not Found"),
        ("POST /metrics HTTP/1.1", "405 Method Not Allowed"),
        ("DELETE /metrics HTTP/1.1", "405 Method Not Allowed"),
        ("nonsense", "400 Bad Request"),
        ("GET /metrics HTTP/9.9", "400 Bad Request"),
    ] {
        let answer = ask(&format!("{request}\r\nHost: x\r\n\r\n")).await;

        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{request}: {answer}"
        );
    }
}

#[tokio::test]
async fn a_head_has_no_body() {
    let answer = ask("HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;

    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

/// Waits for something to be so.
async fn wait(what: impl Fn() -> bool) {
    let waited = async {
        while !what() {
            sleep(Duration::from_millis(2)).await;
        }
    };

    tokio::time::timeout(Duration::from_secs(20), waited)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_address_that_is_not_free_is_waited_for() {
    let log = NamedTempFile::new().unwrap();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::DEBUG)
        .with_writer(log.reopen().unwrap())
        .with_ansi(false)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let said = |what: &str| {
        let text = fs::read_to_string(log.path()).unwrap();

        text.lines().filter(|line| line.contains(what)).count()
    };
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = other.local_addr().unwrap();
    let limits = (Duration::from_millis(1), Duration::from_millis(2));
    let server = tokio::spawn(async move {
        let listener = listen(address, limits).await;

        serve(listener, Report::default(), FakeKernel::default()).await;
    });
    let attempt = format!("metrics at {address}: Address already in use");
    let success = format!("metrics at http://{address}/metrics");

    wait(|| said(&attempt) >= 3).await;
    assert_eq!(said("WARN"), 1);
    assert_eq!(said(&success), 0);
    drop(other);
    wait(|| said(&success) == 1).await;
    let answer = ask_at(address, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(said("WARN"), 1);
    server.abort();
}
