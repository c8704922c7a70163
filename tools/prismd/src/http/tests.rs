// SPDX-License-Identifier: GPL-2.0

use tokio::io::{
    AsyncReadExt,
    AsyncWriteExt, //
};

use super::*;
use crate::daemon::tests::FakeKernel;

/// What the server answers to a text.
async fn ask(text: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(serve(listener, Report::default(), FakeKernel::default()));
    let mut client = TcpStream::connect(address).await.unwrap();
    let mut answer = String::new();

    client.write_all(text.as_bytes()).await.unwrap();
    client.read_to_string(&mut answer).await.unwrap();
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
