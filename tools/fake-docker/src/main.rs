// SPDX-License-Identifier: GPL-2.0

//! `fake-docker SOCKET` does what it reads, a line at a time, and answers each with `ok`:
//!
//! ```text
//! network ID NAME DRIVER [subnet=PREFIX] [ingress=1] [OPTION=VALUE]...
//! run ID NAME [mode=MODE] [net:NETWORK=V4[,V6]] [port:PORT/PROTOCOL=ADDRESS,PORT] [LABEL=VALUE]...
//! stop ID
//! connect ID NETWORK V4[,V6]
//! disconnect ID NETWORK
//! many COUNT NETWORK [LABEL=VALUE]...    starts so many, named many0 and so on
//! none COUNT                             stops these
//! chatter ID COUNT
//! down
//! up
//! followers                              answers with their number
//! ```

use std::{
    env,
    error::Error,
    path::Path, //
};

use fake_docker::{
    Container,
    Engine,
    Network, //
};
use tokio::io::{
    stdin,
    AsyncBufReadExt,
    BufReader, //
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args().nth(1).ok_or("usage: fake-docker SOCKET")?;
    let mut engine = Engine::start(Path::new(&path))?;
    let mut lines = BufReader::new(stdin()).lines();

    while let Some(line) = lines.next_line().await? {
        let words: Vec<&str> = line.split_whitespace().collect();

        println!("{}", obey(&mut engine, &words)?);
    }
    Ok(())
}

/// Does what a line says, and returns the answer.
fn obey(engine: &mut Engine, words: &[&str]) -> Result<String, Box<dyn Error>> {
    match words {
        ["network", id, name, driver, rest @ ..] => {
            engine.add_network(network(id, name, driver, rest)?);
        }
        ["run", id, name, rest @ ..] => engine.run(container(id, name, rest)?),
        ["stop", id] => engine.stop(id),
        ["connect", id, network, addresses] => {
            let (v4, v6) = both(addresses);

            engine.connect(id, network, v4, v6);
        }
        ["disconnect", id, network] => engine.disconnect(id, network),
        ["many", count, network, rest @ ..] => {
            for number in 0..count.parse::<u32>()? {
                let name = format!("many{number}");
                let mut one = container(&many(number), &name, rest)?;
                let [_, _, high, low] = number.to_be_bytes();

                one.endpoints.insert(
                    (*network).to_owned(),
                    (format!("10.9.{high}.{low}"), String::new()),
                );
                engine.run(one);
            }
        }
        ["none", count] => {
            for number in 0..count.parse::<u32>()? {
                engine.stop(&many(number));
            }
        }
        ["chatter", id, count] => {
            for _ in 0..count.parse::<u32>()? {
                engine.chatter(id);
            }
        }
        ["down"] => engine.down(),
        ["up"] => engine.up()?,
        ["followers"] => return Ok(engine.followers().to_string()),
        _ => return Err(format!("not understood: {}", words.join(" ")).into()),
    }
    Ok("ok".to_owned())
}

/// The ID of one of many containers. Its first twelve digits, by which rules are named, are of no other.
fn many(number: u32) -> String {
    format!("aaaa{number:08x}{number:052x}")
}

fn both(addresses: &str) -> (&str, &str) {
    addresses.split_once(',').unwrap_or((addresses, ""))
}

fn pair(word: &str) -> Result<(&str, &str), Box<dyn Error>> {
    Ok(word
        .split_once('=')
        .ok_or_else(|| format!("{word}: expected NAME=VALUE"))?)
}

fn network(id: &str, name: &str, driver: &str, words: &[&str]) -> Result<Network, Box<dyn Error>> {
    let mut network = Network {
        id: id.to_owned(),
        name: name.to_owned(),
        driver: driver.to_owned(),
        ..Network::default()
    };

    for word in words {
        match pair(word)? {
            ("subnet", value) => network.subnets.push(value.to_owned()),
            ("ingress", value) => network.is_ingress = value == "1",
            (option, value) => {
                network.options.insert(option.to_owned(), value.to_owned());
            }
        }
    }
    Ok(network)
}

fn container(id: &str, name: &str, words: &[&str]) -> Result<Container, Box<dyn Error>> {
    let mut container = Container {
        id: id.to_owned(),
        name: name.to_owned(),
        ..Container::default()
    };

    for word in words {
        let (key, value) = pair(word)?;

        if key == "mode" {
            container.mode = value.to_owned();
        } else if let Some(network) = key.strip_prefix("net:") {
            let (v4, v6) = both(value);

            container
                .endpoints
                .insert(network.to_owned(), (v4.to_owned(), v6.to_owned()));
        } else if let Some(port) = key.strip_prefix("port:") {
            let (address, host_port) = both(value);

            container
                .ports
                .push((port.to_owned(), address.to_owned(), host_port.parse()?));
        } else {
            container.labels.insert(key.to_owned(), value.to_owned());
        }
    }
    Ok(container)
}
