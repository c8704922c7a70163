// SPDX-License-Identifier: GPL-2.0

//! The Docker engine, at its socket.

use std::{
    collections::HashMap,
    future::Future,
    io,
    time::Duration, //
};

use bollard::{
    errors::Error as DockerError,
    models::{
        ContainerInspectResponse,
        NetworkInspect, //
    },
    query_parameters::ListContainersOptionsBuilder,
    BollardRequest, ClientVersion, Docker, API_DEFAULT_VERSION,
};
use hyper::Uri;
use tokio::time::timeout;

use crate::{
    events::{
        self,
        Events, //
    },
    label::CLASS, //
};

/// How long the engine may take to answer, all of it.
const PATIENCE: Duration = Duration::from_secs(60);

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
    /// It does not tell what happens.
    #[error("the Docker engine: {0}")]
    Events(#[from] events::Error),
    /// Its answer about a container lacks something.
    #[error("the Docker engine does not tell the container's {0}")]
    Lacking(&'static str),
    /// It does not answer at all.
    #[error("the Docker engine does not answer")]
    Silent,
    /// It tells of no more events.
    #[error("the Docker engine has closed the connection")]
    Closed,
}

/// A connection to the engine.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    docker: Docker,
    /// Its socket.
    path: String,
}

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
        let docker = Docker::connect_with_unix(path, PATIENCE.as_secs(), API_DEFAULT_VERSION)?;
        let docker = in_time(docker.negotiate_version()).await??;
        let version = docker.client_version();

        // Paths of Bollard's have no version, and mean the engine's latest one.
        Ok(Self {
            docker: docker.with_request_modifier(move |request| in_version(&version, request)),
            path: path.to_owned(),
        })
    }

    /// What happens to containers from now on.
    pub(crate) async fn events(&self) -> Result<Events, Error> {
        let Self { docker, path } = self;
        let version = docker.client_version().to_string();

        Ok(in_time(Events::follow(path, &version)).await??)
    }

    /// The IDs of the containers that run and ask for something.
    pub(crate) async fn asking(&self) -> Result<Vec<String>, Error> {
        let filters = HashMap::from([("label", vec![CLASS])]);
        let options = ListContainersOptionsBuilder::new()
            .filters(&filters)
            .build();
        let list = in_time(self.docker.list_containers(Some(options))).await??;

        Ok(list.into_iter().filter_map(|summary| summary.id).collect())
    }

    /// All of a container, if there is one.
    pub(crate) async fn container(
        &self,
        id: &str,
    ) -> Result<Option<ContainerInspectResponse>, Error> {
        present(in_time(self.docker.inspect_container(id, None)).await?)
    }

    /// All of a network, if there is one.
    pub(crate) async fn network(&self, id: &str) -> Result<Option<NetworkInspect>, Error> {
        present(in_time(self.docker.inspect_network(id, None)).await?)
    }
}

/// What the engine answers. Bollard itself waits for ever for the end of an answer that has begun.
async fn in_time<T>(answer: impl Future<Output = T>) -> Result<T, Error> {
    timeout(PATIENCE, answer).await.map_err(|_| Error::Silent)
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
