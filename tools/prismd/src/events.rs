// SPDX-License-Identifier: GPL-2.0

//! What the Docker engine tells of containers, as it happens.
//!
//! Bollard asks for all else. Its decoder of events takes what has come for a whole line even before
//! its end, and where that end comes together with other lines, it leaves them until there is more: a
//! container that stopped would keep its rules until another one did something.

use std::{
    collections::HashMap,
    io,
    time::{
        Duration,
        SystemTime, //
    },
};

use bollard::models::{
    EventMessage,
    EventMessageTypeEnum, //
};
use form_urlencoded::Serializer;
use futures_util::{
    StreamExt,
    TryStreamExt, //
};
use http_body_util::{
    BodyExt,
    Empty,
    Limited, //
};
use hyper::{
    body::{
        Bytes,
        Incoming, //
    },
    client::conn::http1,
    header::HOST,
    Request,
    Response, //
};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::{
    net::UnixStream,
    sync::mpsc,
    task::JoinSet, //
};
use tokio_util::{
    codec::{
        FramedRead,
        LinesCodec,
        LinesCodecError, //
    },
    io::StreamReader,
};

use crate::label::{
    CLASS,
    PREFIX, //
};

/// By how much events are asked for from before now, so that none is missed between what is listed and
/// when the engine begins to tell. It remembers the last few hundred.
const OVERLAP: Duration = Duration::from_secs(2);

/// How many events wait for us; the engine's socket has the others.
const WAITING: usize = 256;

/// How long a line may be, in bytes: it has all labels of a container.
const LINE: usize = 1 << 20;

/// How much is read of why the engine refuses, in bytes.
const REFUSAL: usize = 4096;

/// Why there are no events.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The engine's socket is not what it was.
    #[error("events: {0}")]
    Socket(#[from] io::Error),
    /// It does not answer as a server of HTTP does.
    #[error("events: {0}")]
    Http(#[from] hyper::Error),
    /// It answers with an error.
    #[error("events: the engine answers {status}: {text}")]
    Refused {
        /// Its status.
        status: hyper::StatusCode,
        /// What it says.
        text: String,
    },
    /// A line is too long, or not of text.
    #[error("events: {0}")]
    Line(#[from] LinesCodecError),
    /// A line is not an event.
    #[error("events: {0}")]
    Event(#[from] serde_json::Error),
}

/// Something that happened to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its ID.
    pub(crate) container: String,
    /// What it may be about, where it tells.
    pub(crate) about: About,
}

/// What an event may be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// A container that asks for something.
    Asking,
    /// One that asks for nothing.
    Silent,
    /// One that begins with labels of ours without that of the class.
    Incomplete,
    /// Only one that is known.
    Known,
}

/// A connection of its own to the engine, on which events come.
#[derive(Debug)]
pub(crate) struct Events {
    told: mpsc::Receiver<Result<Event, Error>>,
    /// Move what comes, as long as there is this.
    _tasks: JoinSet<()>,
}

impl Events {
    /// Asks the engine at a socket, in a version of its API, for what happens from now on.
    pub(crate) async fn follow(path: &str, version: &str) -> Result<Self, Error> {
        let stream = TokioIo::new(UnixStream::connect(path).await?);
        let (mut sender, connection) = http1::handshake(stream).await?;
        let mut tasks = JoinSet::new();

        tasks.spawn(async {
            // Who reads is told of it.
            connection.await.ok();
        });
        let answer = sender.send_request(request(version)).await?;

        if !answer.status().is_success() {
            return Err(refusal(answer).await);
        }
        let (to, told) = mpsc::channel(WAITING);
        tasks.spawn(forward(answer.into_body(), to));
        Ok(Self {
            told,
            _tasks: tasks,
        })
    }

    /// The next event; `None` where the engine has closed the connection.
    pub(crate) async fn next(&mut self) -> Option<Result<Event, Error>> {
        self.told.recv().await
    }

    /// The next event where it has come already.
    pub(crate) fn try_next(&mut self) -> Option<Result<Event, Error>> {
        self.told.try_recv().ok()
    }
}

/// Asks for events.
fn request(version: &str) -> Request<Empty<Bytes>> {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .saturating_sub(OVERLAP);
    // The engine leaves out what is not for us, such as checks of health, and wakes nobody.
    let filters = json!({
        "type": ["container", "network"],
        "event": ["start", "die", "rename", "connect", "disconnect"],
    });
    let query = Serializer::new(String::new())
        .append_pair("since", &since.as_secs().to_string())
        .append_pair("filters", &filters.to_string())
        .finish();
    let mut request = Request::new(Empty::new());

    // A version is of digits and a dot, and the query is encoded, so that it is a path.
    if let Ok(uri) = format!("/v{version}/events?{query}").parse() {
        *request.uri_mut() = uri;
    }
    request
        .headers_mut()
        .insert(HOST, hyper::header::HeaderValue::from_static("docker"));
    request
}

/// Why the engine does not tell.
async fn refusal(answer: Response<Incoming>) -> Error {
    let status = answer.status();
    let body = Limited::new(answer.into_body(), REFUSAL).collect().await;
    let text = body.map_or_else(
        |why| why.to_string(),
        |body| String::from_utf8_lossy(&body.to_bytes()).trim().to_owned(),
    );

    Error::Refused { status, text }
}

/// Hands on the events of which the lines of a body tell, while there is somebody who takes them.
async fn forward(body: Incoming, to: mpsc::Sender<Result<Event, Error>>) {
    let bytes = body.into_data_stream().map_err(io::Error::other);
    let mut lines = FramedRead::new(
        StreamReader::new(bytes),
        LinesCodec::new_with_max_length(LINE),
    );

    while let Some(line) = lines.next().await {
        if let Some(event) = line.map_err(Error::from).and_then(read).transpose() {
            if to.send(event).await.is_err() {
                return;
            }
        }
    }
}

/// The event in a line, if it matters.
fn read(line: String) -> Result<Option<Event>, Error> {
    if line.is_empty() {
        return Ok(None);
    }
    Ok(event(serde_json::from_str(&line)?))
}

/// What matters of a message.
fn event(message: EventMessage) -> Option<Event> {
    let actor = message.actor?;
    let attributes = actor.attributes.unwrap_or_default();
    let begins = message.action.as_deref() == Some("start");

    match message.typ? {
        EventMessageTypeEnum::CONTAINER => Some(Event {
            container: actor.id?,
            about: about(&attributes, begins),
        }),
        EventMessageTypeEnum::NETWORK => Some(Event {
            container: attributes.get("container")?.clone(),
            about: About::Known,
        }),
        _ => None,
    }
}

/// Attributes of an event have the container's labels.
fn about(attributes: &HashMap<String, String>, begins: bool) -> About {
    if attributes.contains_key(CLASS) {
        About::Asking
    } else if begins && attributes.keys().any(|name| name.starts_with(PREFIX)) {
        About::Incomplete
    } else {
        About::Silent
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{
            AsyncReadExt,
            AsyncWriteExt, //
        },
        net::UnixListener,
    };

    use super::*;

    /// What is made of an answer in pieces.
    async fn told(pieces: &[&str]) -> Result<Vec<Result<Event, Error>>, Error> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("docker.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let path = path.to_string_lossy();
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let length = stream.read(&mut request).await.unwrap();

            assert!(request[..length].starts_with(b"GET /v1.41/events?since="));
            for piece in pieces {
                stream.write_all(piece.as_bytes()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let follow = async {
            let mut events = Events::follow(&path, "1.41").await?;
            let mut told = Vec::new();

            while let Some(event) = events.next().await {
                told.push(event);
            }
            Ok(told)
        };

        tokio::join!(serve, follow).1
    }

    const FINE: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    const DIED: &str = r#"{"Type":"container","Action":"die","Actor":{"ID":"c1","Attributes":{"io.prism.class":"high"}}}"#;

    #[tokio::test]
    async fn pieces_make_lines() {
        let (head, tail) = DIED.split_at(20);
        let rest = format!("\n{DIED}\n");
        let told = told(&[FINE, head, tail, &rest, "\n", DIED, "\n"])
            .await
            .unwrap();

        assert_eq!(told.len(), 3);
        for event in told {
            let event = event.unwrap();

            assert_eq!((&*event.container, event.about), ("c1", About::Asking));
        }
    }

    #[test]
    fn who_has_no_class_is_told_of_once() {
        let about = |action: &str, labels: serde_json::Value| {
            let message = json!({
                "Type": "container", "Action": action, "Actor": { "ID": "c1", "Attributes": labels },
            });

            event(serde_json::from_value(message).unwrap())
                .unwrap()
                .about
        };
        let incomplete = json!({ "io.prism.rate": "9" });

        assert_eq!(about("start", incomplete.clone()), About::Incomplete);
        assert_eq!(about("die", incomplete.clone()), About::Silent);
        assert_eq!(about("rename", incomplete), About::Silent);
        assert_eq!(about("start", json!({ "other": "1" })), About::Silent);
        assert_eq!(
            about("die", json!({ "io.prism.class": "high" })),
            About::Asking
        );
    }

    #[tokio::test]
    async fn a_refusal_is_told() {
        let answer = "HTTP/1.1 400 Bad Request\r\nContent-Length: 8\r\n\r\ntoo old\n";
        let why = told(&[answer]).await.unwrap_err();

        assert_eq!(
            why.to_string(),
            "events: the engine answers 400 Bad Request: too old"
        );
    }

    #[tokio::test]
    async fn what_is_no_event_ends_it() {
        let told = told(&[FINE, "{}\n", "nonsense\n"]).await.unwrap();

        assert!(
            matches!(told.as_slice(), [Err(Error::Event(_)), ..]),
            "{told:?}"
        );
    }

    #[tokio::test]
    async fn a_line_has_a_limit() {
        let long = "x".repeat(LINE + 1);
        let told = told(&[FINE, &long]).await.unwrap();

        assert!(
            matches!(told.as_slice(), [Err(Error::Line(_)), ..]),
            "{told:?}"
        );
    }
}
