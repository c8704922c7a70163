// SPDX-License-Identifier: GPL-2.0

//! Answers who asks for `/metrics`.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::Arc,
    time::Duration, //
};

use http_body_util::Full;
use hyper::{
    body::{
        Bytes,
        Incoming, //
    },
    header::{
        HeaderValue,
        ALLOW,
        CONTENT_TYPE, //
    },
    server::conn::http1,
    service::service_fn,
    Method,
    Request,
    Response,
    StatusCode, //
};
use hyper_util::rt::{
    TokioIo,
    TokioTimer, //
};
use tokio::{
    net::{
        TcpListener,
        TcpStream, //
    },
    sync::Semaphore,
    time::sleep,
};
use tracing::{
    debug,
    info,
    warn, //
};

use crate::{
    backoff::Backoff,
    kernel::Kernel,
    report::Report, //
};

/// Waits between attempts to listen.
const LISTEN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// How many may be connected at a time; others wait.
const CLIENTS: usize = 8;

/// How long a request may take to come, and how long a connection may last.
const PATIENCE: Duration = Duration::from_secs(10);

/// The format of what is told.
const FORMAT: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// Answers all who connect to an address, from when it can be listened at.
pub(crate) async fn serve_at<K: Kernel>(address: SocketAddr, report: Report, kernel: K) {
    serve(listen(address, LISTEN).await, report, kernel).await;
}

/// Listens at an address as soon as the host has it and nobody else listens there. Waits between
/// attempts have `limits`.
async fn listen(address: SocketAddr, limits: (Duration, Duration)) -> TcpListener {
    let mut backoff = Backoff::new(limits);
    let mut is_known = false;

    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => {
                info!("metrics at http://{address}/metrics");
                return listener;
            }
            Err(why) if is_known => debug!("metrics at {address}: {why}"),
            Err(why) => warn!(
                "metrics at {address}: {why}; it is tried again, and rules are made all the same"
            ),
        }
        is_known = true;
        sleep(backoff.next()).await;
    }
}

/// Answers all who connect, for ever.
async fn serve<K: Kernel>(listener: TcpListener, report: Report, kernel: K) {
    let places = Arc::new(Semaphore::new(CLIENTS));

    loop {
        // Never closed.
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(why) => {
                // Such as too many files.
                warn!("metrics: {why}");
                sleep(Duration::from_secs(1)).await;
                continue;
            }
        };
        let (report, kernel) = (report.clone(), kernel.clone());

        tokio::spawn(async move {
            serve_one(stream, report, kernel).await;
            drop(place);
        });
    }
}

async fn serve_one<K: Kernel>(stream: TcpStream, report: Report, kernel: K) {
    let service = service_fn(|request: Request<Incoming>| {
        let response = answer(request.method(), request.uri().path(), || {
            report.text(&kernel).ok()
        });

        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_headers(64)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);

    match tokio::time::timeout(PATIENCE, connection).await {
        Ok(Ok(())) => (),
        Ok(Err(why)) => debug!("metrics: {why}"),
        Err(_) => debug!("metrics: a client took too long"),
    }
}

/// The answer to a request.
fn answer(
    method: &Method,
    path: &str,
    text: impl FnOnce() -> Option<String>,
) -> Response<Full<Bytes>> {
    let (status, text) = match (path, method) {
        ("/metrics", &Method::GET | &Method::HEAD) => match text() {
            Some(text) => (StatusCode::OK, text),
            None => (StatusCode::INTERNAL_SERVER_ERROR, String::new()),
        },
        ("/metrics", _) => (StatusCode::METHOD_NOT_ALLOWED, String::new()),
        _ => (StatusCode::NOT_FOUND, "there is only /metrics\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));

    *response.status_mut() = status;
    match status {
        StatusCode::OK => {
            response.headers_mut().insert(CONTENT_TYPE, FORMAT);
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        _ => (),
    }
    response
}

#[cfg(test)]
mod tests;
