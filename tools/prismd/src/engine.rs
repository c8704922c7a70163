// SPDX-License-Identifier: GPL-2.0

//! The Docker engine, at its socket.

use std::{
    collections::HashMap,
    io,
    time::{
        Duration,
        SystemTime, //
    },
};

use bollard::{
    errors::Error as DockerError,
    models::{
        ContainerInspectResponse,
        EventMessage,
        EventMessageTypeEnum,
        NetworkInspect, //
    },
    query_parameters::{
        EventsOptionsBuilder,
        ListContainersOptionsBuilder, //
    },
    BollardRequest, ClientVersion, Docker, API_DEFAULT_VERSION,
};
use futures_util::{
    Stream,
    StreamExt, //
};
use hyper::Uri;

use crate::label::{
    CLASS,
    PREFIX, //
};

/// How long the engine may take to answer, in seconds.
const PATIENCE: u64 = 60;

/// By how much events are asked for from before now, so that none is missed between what is listed and
/// when the engine begins to tell. It remembers the last few hundred.
const OVERLAP: Duration = Duration::from_secs(2);

/// Why the engine does not answer as it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It is not there, or not for us.
    #[error("{path}: {why}")]
    Connect {
        /// Its socket.
        path: String,
        /// Why.
        why: io::Error,
    },
    /// It does not answer, or with an error.
    #[error("the Docker engine: {0}")]
    Docker(#[from] DockerError),
    /// It tells of no more events.
    #[error("the Docker engine has closed the connection")]
    Closed,
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
    /// One that has labels of ours without that of the class.
    Incomplete,
    /// Only one that is known.
    Known,
}

/// A connection to the engine.
#[derive(Clone, Debug)]
pub(crate) struct Engine(Docker);

impl Engine {
    /// Connects, and agrees on a version of the API.
    pub(crate) async fn connect(path: &str) -> Result<Self, Error> {
        // What it says of a socket that is not there or not for us is clearer.
        tokio::net::UnixStream::connect(path)
            .await
            .map_err(|why| Error::Connect {
                path: path.to_owned(),
                why,
            })?;
        let docker = Docker::connect_with_unix(path, PATIENCE, API_DEFAULT_VERSION)?
            .negotiate_version()
            .await?;
        let version = docker.client_version();

        // Paths of Bollard's have no version, and mean the engine's latest one.
        Ok(Self(docker.with_request_modifier(move |request| {
            in_version(&version, request)
        })))
    }

    /// What happens to containers from now on, until the stream ends or fails.
    pub(crate) fn events(&self) -> impl Stream<Item = Result<Event, Error>> {
        let since = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
            .saturating_sub(OVERLAP);
        // The engine leaves out what is not for us, such as checks of health, and wakes nobody.
        let filters = HashMap::from([
            ("type", vec!["container", "network"]),
            (
                "event",
                vec!["start", "die", "rename", "connect", "disconnect"],
            ),
        ]);
        let options = EventsOptionsBuilder::new()
            .since(&since.as_secs().to_string())
            .filters(&filters)
            .build();

        self.0.events(Some(options)).filter_map(|told| async {
            match told {
                Ok(message) => event(message).map(Ok),
                Err(why) => Some(Err(why.into())),
            }
        })
    }

    /// The IDs of the containers that run and ask for something.
    pub(crate) async fn asking(&self) -> Result<Vec<String>, Error> {
        let filters = HashMap::from([("label", vec![CLASS])]);
        let options = ListContainersOptionsBuilder::new()
            .filters(&filters)
            .build();
        let list = self.0.list_containers(Some(options)).await?;

        Ok(list.into_iter().filter_map(|summary| summary.id).collect())
    }

    /// All of a container, if there is one.
    pub(crate) async fn container(
        &self,
        id: &str,
    ) -> Result<Option<ContainerInspectResponse>, Error> {
        present(self.0.inspect_container(id, None).await)
    }

    /// All of a network, if there is one.
    pub(crate) async fn network(&self, id: &str) -> Result<Option<NetworkInspect>, Error> {
        present(self.0.inspect_network(id, None).await)
    }
}

/// The request with the version of the API in its path.
fn in_version(version: &ClientVersion, mut request: BollardRequest) -> BollardRequest {
    let uri = request.uri();
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let with_version = Uri::builder()
        .scheme(uri.scheme_str().unwrap_or_default())
        .authority(uri.authority().map_or("", |authority| authority.as_str()))
        .path_and_query(format!("/v{version}{path}"))
        .build();

    if let Ok(uri) = with_version {
        *request.uri_mut() = uri;
    }
    request
}

/// `None` for what there is not.
fn present<T>(answer: Result<T, DockerError>) -> Result<Option<T>, Error> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(DockerError::DockerResponseServerError {
            status_code: 404, ..
        }) => Ok(None),
        Err(why) => Err(why.into()),
    }
}

/// What matters of a message.
fn event(message: EventMessage) -> Option<Event> {
    let actor = message.actor?;
    let attributes = actor.attributes.unwrap_or_default();

    match message.typ? {
        EventMessageTypeEnum::CONTAINER => Some(Event {
            container: actor.id?,
            about: about(&attributes),
        }),
        EventMessageTypeEnum::NETWORK => Some(Event {
            container: attributes.get("container")?.clone(),
            about: About::Known,
        }),
        _ => None,
    }
}

/// Attributes of an event have the container's labels.
fn about(attributes: &HashMap<String, String>) -> About {
    if attributes.contains_key(CLASS) {
        About::Asking
    } else if attributes.keys().any(|name| name.starts_with(PREFIX)) {
        About::Incomplete
    } else {
        About::Silent
    }
}
