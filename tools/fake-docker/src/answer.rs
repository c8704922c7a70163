// SPDX-License-Identifier: GPL-2.0

//! What is answered to a request.

use std::{
    collections::HashMap,
    convert::Infallible,
    time::Duration, //
};

use futures_util::stream::{
    self,
    Stream,
    StreamExt, //
};
use http_body_util::{
    Either,
    Full,
    StreamBody, //
};
use hyper::{
    body::{
        Bytes,
        Frame,
        Incoming, //
    },
    header::{
        HeaderValue,
        CONTENT_TYPE, //
    },
    Request,
    Response,
    StatusCode, //
};
use serde_json::{
    json,
    Value, //
};
use tokio::{
    sync::mpsc,
    time::sleep, //
};

use crate::{
    is_wanted,
    lock,
    Container,
    Filters,
    Network,
    Shared,
    State,
    Trouble, //
};

type Body =
    Either<Full<Bytes>, StreamBody<stream::BoxStream<'static, Result<Frame<Bytes>, Infallible>>>>;

/// The version of the API, that of Docker 20.10.
const VERSION: &str = "1.41";

pub(crate) async fn answer(state: &Shared, request: &Request<Incoming>) -> Response<Body> {
    let path = request.uri().path();
    let query = request.uri().query().unwrap_or_default();
    let query: HashMap<String, String> = form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();

    if lock(state).is_down {
        std::future::pending::<()>().await;
    }
    lock(state).requests.push(path.to_owned());
    let words: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let words = match words.as_slice() {
        [version, rest @ ..] if version.starts_with("v1.") => {
            // Anybody may ask for the version.
            if *version > &*format!("v{VERSION}") && rest != ["version"] {
                let text = format!("client version {version} is too new");

                return failure(StatusCode::BAD_REQUEST, &text);
            }
            rest
        }
        words => words,
    };

    match words {
        ["version"] => json_answer(&json!({
            "Version": "20.10.24", "ApiVersion": VERSION, "MinAPIVersion": "1.12", "Os": "linux",
        })),
        ["events"] => events(state, &query),
        ["containers", "json"] => {
            let trouble = || lock(state).trouble.get("").copied();

            while trouble() == Some(Trouble::Silence) {
                sleep(Duration::from_millis(1)).await;
            }
            if trouble().is_some() {
                return out_of_order();
            }
            let list = list(&lock(state), &filters(&query));

            json_answer(&list)
        }
        ["containers", id, "json"] => {
            let trouble = || lock(state).trouble.get(*id).copied();
            let answer = inspect(state, id);

            while trouble() == Some(Trouble::Silence) {
                sleep(Duration::from_millis(1)).await;
            }
            match trouble() {
                Some(_) => out_of_order(),
                None => answer,
            }
        }
        ["networks", id] => match lock(state).networks.get(*id) {
            Some(network) => json_answer(&network_json(network)),
            None => failure(StatusCode::NOT_FOUND, "network not found"),
        },
        _ => failure(StatusCode::NOT_FOUND, "page not found"),
    }
}

/// A container as it is now.
fn inspect(state: &Shared, id: &str) -> Response<Body> {
    let state = lock(state);

    match state.containers.get(id) {
        Some(container) => json_answer(&container_json(&state, container)),
        None => failure(StatusCode::NOT_FOUND, "No such container"),
    }
}

fn out_of_order() -> Response<Body> {
    failure(StatusCode::INTERNAL_SERVER_ERROR, "out of order")
}

fn json_answer(value: &Value) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(Bytes::from(value.to_string()))));

    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn failure(status: StatusCode, message: &str) -> Response<Body> {
    let mut response = json_answer(&json!({ "message": message }));

    *response.status_mut() = status;
    response
}

fn filters(query: &HashMap<String, String>) -> Filters {
    query
        .get("filters")
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

/// What happened since the time that is asked for, and then what happens.
fn events(state: &Shared, query: &HashMap<String, String>) -> Response<Body> {
    let filters = filters(query);
    let since: u64 = query
        .get("since")
        .and_then(|text| text.parse().ok())
        .unwrap_or(u64::MAX);
    let (sender, receiver) = mpsc::unbounded_channel();
    let lag = lock(state).lag;
    let state = state.clone();

    // The engine, too, begins to answer before it listens to itself.
    tokio::spawn(async move {
        sleep(lag).await;
        let mut state = lock(&state);

        for (time, event) in &state.events {
            if *time >= since && is_wanted(&filters, event) {
                sender.send(Bytes::from(format!("{event}\n"))).ok();
            }
        }
        state.followers.push((filters, sender));
    });
    let frames = received(receiver).map(|bytes| Ok(Frame::data(bytes)));

    Response::new(Either::Right(StreamBody::new(frames.boxed())))
}

fn received(receiver: mpsc::UnboundedReceiver<Bytes>) -> impl Stream<Item = Bytes> {
    stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|bytes| (bytes, receiver))
    })
}

/// The containers that run and have the labels that are asked for.
fn list(state: &State, filters: &Filters) -> Value {
    let is_asked = |container: &&Container| {
        let labels = filters.get("label").into_iter().flatten();

        labels
            .into_iter()
            .all(|name| container.labels.contains_key(name))
    };
    let containers = state.containers.values().filter(is_asked);

    containers
        .map(|container| {
            json!({
                "Id": container.id, "Names": [format!("/{}", container.name)], "Image": "busybox",
                "Command": "sh", "Created": 1_700_000_000, "Ports": [], "Labels": container.labels,
                "State": "running", "Status": "Up 5 minutes",
                "HostConfig": { "NetworkMode": container.mode }, "Mounts": [],
            })
        })
        .collect()
}

fn container_json(state: &State, container: &Container) -> Value {
    let mut ports = json!({ "9/sctp": null });
    for (port, address, host_port) in &container.ports {
        if ports[port].is_null() {
            ports[port] = json!([]);
        }
        if let Some(bindings) = ports[port].as_array_mut() {
            bindings.push(json!({ "HostIp": address, "HostPort": host_port.to_string() }));
        }
    }
    let networks: serde_json::Map<String, Value> = container
        .endpoints
        .iter()
        .map(|(id, (v4, v6))| {
            let name = state.networks.get(id).map_or("gone", |of| &of.name);

            let endpoint = json!({
                "IPAMConfig": null, "Links": null, "Aliases": null, "NetworkID": id,
                "EndpointID": "e0", "Gateway": "", "IPAddress": v4, "IPPrefixLen": 24,
                "IPv6Gateway": "", "GlobalIPv6Address": v6, "GlobalIPv6PrefixLen": 0,
                "MacAddress": "02:42:ac:11:00:02", "DriverOpts": null,
            });

            (name.to_owned(), endpoint)
        })
        .collect();

    json!({
        "Id": container.id, "Created": "2026-11-28T10:00:00.123456789Z", "Path": "sh", "Args": [],
        "State": {
            "Status": "running", "Running": true, "Paused": false, "Restarting": false,
            "OOMKilled": false, "Dead": false, "Pid": 4711, "ExitCode": 0, "Error": "",
            "StartedAt": "2026-11-28T10:00:00.5Z", "FinishedAt": "0001-01-01T00:00:00Z",
        },
        "Image": "sha256:0", "Name": format!("/{}", container.name), "RestartCount": 0,
        "Driver": "overlay2", "Platform": "linux", "MountLabel": "", "ProcessLabel": "",
        "AppArmorProfile": "", "ExecIDs": null,
        "HostConfig": {
            "Binds": null, "NetworkMode": container.mode, "PortBindings": {}, "Memory": 0,
            "RestartPolicy": { "Name": "no", "MaximumRetryCount": 0 }, "AutoRemove": false,
        },
        "GraphDriver": { "Data": null, "Name": "overlay2" }, "Mounts": [],
        "Config": {
            "Hostname": "c", "Domainname": "", "User": "", "ExposedPorts": { "6379/tcp": {} },
            "Tty": false, "Env": ["PATH=/bin"], "Cmd": ["sh"], "Image": "busybox", "Volumes": null,
            "WorkingDir": "", "Entrypoint": null, "OnBuild": null, "Labels": container.labels,
        },
        "NetworkSettings": {
            "Bridge": "", "SandboxID": "s0", "HairpinMode": false, "Ports": ports,
            "SandboxKey": "/var/run/docker/netns/s0", "IPAddress": "", "Networks": networks,
        },
    })
}

fn network_json(network: &Network) -> Value {
    let subnets: Vec<Value> = network
        .subnets
        .iter()
        .map(|subnet| json!({ "Subnet": subnet, "Gateway": "" }))
        .collect();

    json!({
        "Name": network.name, "Id": network.id, "Created": "2026-11-28T10:00:00.123456789Z",
        "Scope": if network.driver == "overlay" { "swarm" } else { "local" },
        "Driver": network.driver, "EnableIPv6": false,
        "IPAM": { "Driver": "default", "Options": null, "Config": subnets },
        "Internal": false, "Attachable": true, "Ingress": network.is_ingress,
        "ConfigFrom": { "Network": "" }, "ConfigOnly": false, "Containers": {},
        "Options": network.options, "Labels": null,
    })
}
