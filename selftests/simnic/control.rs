// SPDX-License-Identifier: GPL-2.0

//! The files of a NIC in configfs.
//!
//! | file | |
//! |---|---|
//! | `flows` | the traffic: a line adds a flow, see [`model::flow`](crate::model::flow); `none` removes all |
//! | `duration_ms`, `warmup_ms` | how long it lasts, and how much of it does not count |
//! | `sinks` | a line `ADDRESS PORT` opens a UDP socket in the writer's network namespace, `ADDRESS PORT tcp PEER PORT SIZE` a connection with a flow of that size; `none` closes all |
//! | `running` | 1 starts the traffic, and is read until all of it was handed over; 0 ends it |
//! | `address` | the NIC's MAC address |
//! | `shape` | a frame, behind a `struct knet_shape` that says what packet it is to come as; reads as a line for each shape: how many were delivered, and how many of these taken at once. `written`: others' packets that were written to |

use core::{
    fmt::Write,
    net::{
        IpAddr,
        SocketAddr, //
    },
    str, //
};

use kernel::{
    debugfs, fmt, new_mutex,
    prelude::*,
    str::CString,
    sync::{
        Arc,
        Mutex, //
    },
};

use knet::{
    configfs::Items,
    files::{
        Files,
        Page, //
    },
    nic::Nic,
    sink::Sink, //
};

use crate::{
    device::Device,
    model::flow::{
        Flow,
        Mac, //
    },
};

/// The longest traffic, in ms.
const DURATION_MAX: u32 = 3_600_000;

/// Makes the NICs.
pub(crate) struct Nics {
    results: debugfs::Dir,
}

impl Nics {
    /// NICs whose results are in `results`.
    pub(crate) fn new(results: debugfs::Dir) -> Self {
        Self { results }
    }
}

impl Items for Nics {
    type Item = Directory;

    fn make(&self, name: &CStr) -> Result<impl PinInit<Directory, Error>> {
        let device = Device::new()?;
        let nic = Nic::register(name, device.clone())?;
        let directory = self.results.subdir(name);
        let name = CString::try_from(name)?;

        Ok(pin_init::pin_init_scope(move || {
            let results = KBox::pin_init(
                directory.read_callback_file(
                    c"results",
                    device,
                    &|device: &Arc<Device>, f: &mut fmt::Formatter<'_>| {
                        core::fmt::Display::fmt(&**device, f)
                    },
                ),
                GFP_KERNEL,
            )?;

            Ok(try_pin_init!(Directory {
                name,
                _results: results,
                sinks <- new_mutex!(KVec::new()),
                settings <- new_mutex!(Settings::default()),
                nic,
            }? Error))
        }))
    }

    fn removed(&self, directory: &Directory) {
        directory.nic.driver().stop();
    }
}

/// What can be set.
struct Settings {
    flows: KVVec<Flow>,
    text: KVec<u8>,
    duration_ms: u32,
    warmup_ms: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            flows: KVVec::new(),
            text: KVec::new(),
            duration_ms: 1000,
            warmup_ms: 0,
        }
    }
}

/// An open socket.
struct Open {
    text: KVec<u8>,
    _sink: Sink<Device>,
}

/// The directory of a NIC.
///
/// The fields are dropped in this order: sockets go before what they report to.
#[pin_data]
pub(crate) struct Directory {
    name: CString,
    _results: Pin<KBox<debugfs::File<Arc<Device>>>>,
    #[pin]
    sinks: Mutex<KVec<Open>>,
    #[pin]
    settings: Mutex<Settings>,
    nic: Nic<Device>,
}

/// A file of a NIC.
#[derive(Clone, Copy)]
pub(crate) enum File {
    Flows,
    DurationMs,
    WarmupMs,
    Sinks,
    Running,
    Address,
    Shape,
}

impl Files for Directory {
    type File = File;

    const FILES: &'static [File] = &[
        File::Flows,
        File::DurationMs,
        File::WarmupMs,
        File::Sinks,
        File::Running,
        File::Address,
        File::Shape,
    ];

    fn name(file: File) -> &'static CStr {
        match file {
            File::Flows => c"flows",
            File::DurationMs => c"duration_ms",
            File::WarmupMs => c"warmup_ms",
            File::Sinks => c"sinks",
            File::Running => c"running",
            File::Address => c"address",
            File::Shape => c"shape",
        }
    }

    fn is_writable(file: File) -> bool {
        !matches!(file, File::Address)
    }

    fn is_private(_: File) -> bool {
        false
    }

    fn show(&self, file: File, page: &mut Page<'_>) -> Result {
        match file {
            File::Flows => {
                let settings = self.settings.lock();
                page.write_str(str::from_utf8(&settings.text).unwrap_or_default())
            }
            File::DurationMs => writeln!(page, "{}", self.settings.lock().duration_ms),
            File::WarmupMs => writeln!(page, "{}", self.settings.lock().warmup_ms),
            File::Sinks => self.sinks.lock().iter().try_for_each(|open| {
                page.write_str(str::from_utf8(&open.text).unwrap_or_default())?;
                page.write_str("\n")
            }),
            File::Running => writeln!(page, "{}", u8::from(self.nic.driver().is_running())),
            File::Address => {
                let [a, b, c, d, e, f] = self.nic.address();
                writeln!(page, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
            }
            File::Shape => {
                for (name, offered, taken) in self.nic.shapes() {
                    writeln!(page, "{name} {offered} {taken}")?;
                }
                writeln!(page, "written {}", self.nic.written())
            }
        }?;
        Ok(())
    }

    fn store(&self, file: File, value: &[u8]) -> Result {
        if matches!(file, File::Shape) {
            return self.nic.shape(value);
        }
        let text = str::from_utf8(value).map_err(|_| EINVAL)?;

        match file {
            File::Flows => self.add_flows(text),
            File::DurationMs => {
                self.settings.lock().duration_ms = self.number(text, 1)?;
                Ok(())
            }
            File::WarmupMs => {
                self.settings.lock().warmup_ms = self.number(text, 0)?;
                Ok(())
            }
            File::Sinks => self.open(text.trim()),
            File::Running => match text.trim() {
                "0" => {
                    self.nic.driver().stop();
                    Ok(())
                }
                "1" => self.start(),
                _ => Err(self.refuse(&"running takes 0 or 1")),
            },
            File::Address | File::Shape => Err(EACCES),
        }
    }
}

impl Directory {
    /// Logs why a value is refused.
    fn refuse(&self, why: &dyn core::fmt::Display) -> Error {
        if knet::log::may_log() {
            pr_warn!("{:?}: {}\n", &*self.name, format_args!("{why}"));
        }
        EINVAL
    }

    fn number(&self, text: &str, least: u32) -> Result<u32> {
        text.trim()
            .parse()
            .ok()
            .filter(|number| (least..=DURATION_MAX).contains(number))
            .ok_or_else(|| self.refuse(&"no number of milliseconds, or too large a one"))
    }

    /// Adds the flows of all lines, or none.
    fn add_flows(&self, text: &str) -> Result {
        let text = text.trim();
        let mut settings = self.settings.lock();

        if text == "none" {
            settings.flows.clear();
            settings.text.clear();
            return Ok(());
        }
        let mut flows = KVVec::new();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let flow = Flow::parse(line).map_err(|why| self.refuse(&why))?;
            flows.push(flow, GFP_KERNEL)?;
        }

        // From here on there is memory for it.
        settings.flows.reserve(flows.len(), GFP_KERNEL)?;
        settings
            .text
            .reserve(text.len().saturating_add(1), GFP_KERNEL)?;
        settings.flows.extend_from_slice(&flows, GFP_KERNEL)?;
        settings
            .text
            .extend_from_slice(text.as_bytes(), GFP_KERNEL)?;
        settings.text.push(b'\n', GFP_KERNEL)?;
        Ok(())
    }

    fn open(&self, text: &str) -> Result {
        if text == "none" {
            self.sinks.lock().clear();
            return Ok(());
        }
        let driver = self.nic.driver().clone();
        let sink = match Listener::parse(text) {
            Some(Listener::Udp(local)) => Sink::open(local, driver)?,
            Some(Listener::Tcp { local, peer, size }) => Sink::connect(local, peer, size, driver)?,
            None => {
                return Err(
                    self.refuse(&"a sink is ADDRESS PORT or ADDRESS PORT tcp PEER PORT SIZE")
                )
            }
        };
        let mut line = KVec::new();
        line.extend_from_slice(text.as_bytes(), GFP_KERNEL)?;

        self.sinks.lock().push(
            Open {
                text: line,
                _sink: sink,
            },
            GFP_KERNEL,
        )?;
        Ok(())
    }

    fn start(&self) -> Result {
        let settings = self.settings.lock();
        let start = self.nic.driver().start(
            &settings.flows,
            settings.duration_ms,
            settings.warmup_ms,
            Mac(self.nic.address()),
        )?;

        self.nic
            .interrupt_at(start)
            .inspect_err(|_| self.nic.driver().stop())
    }
}

/// What a socket is to be.
enum Listener {
    Udp(SocketAddr),
    Tcp {
        local: SocketAddr,
        peer: SocketAddr,
        size: u32,
    },
}

impl Listener {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let local = endpoint(words.next()?, words.next()?)?;
        let listener = match words.next() {
            None => Self::Udp(local),
            Some("tcp") => Self::Tcp {
                local,
                peer: endpoint(words.next()?, words.next()?)?,
                size: words.next()?.parse().ok()?,
            },
            Some(_) => return None,
        };

        words.next().is_none().then_some(listener)
    }
}

fn endpoint(address: &str, port: &str) -> Option<SocketAddr> {
    let address: IpAddr = address.parse().ok()?;

    Some(SocketAddr::new(address, port.parse().ok()?))
}
