// SPDX-License-Identifier: GPL-2.0

//! The hooks of the packet path, which are there while the mode is not `off`.

use kernel::{
    prelude::*,
    sync::Arc, //
};
use knet::{
    context::with_rx_context,
    express,
    gro::GroHook,
    learnt::FdbFollower,
    netdev::{
        self,
        DeviceEvents,
        Event,
        Kind,
        NetDevice,
        Notifier,
        Rtnl, //
    },
    netfilter::{
        DeviceHooks,
        Egress,
        Ingress, //
    },
    vxlan,
    work::{
        Run,
        Work, //
    },
};

use crate::{
    datapath::{
        Path,
        Shared, //
    },
    settings::{
        self,
        Mode, //
    },
};

/// All hooks, registered.
///
/// Dropping it takes them away, the first stage first, so that what is in flight finds the rest, and
/// waits until no CPU is in any of them.
pub(crate) struct Hooks {
    _gro: GroHook<Path>,
    devices: Notifier<Followed>,
    _fdb: FdbFollower,
    _ways: express::Follower,
    shared: Arc<Shared>,
}

impl Hooks {
    /// Registers everything for the devices that are there and those that come.
    ///
    /// Context: process; sleeps, takes the RTNL.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EBUSY` or `EOPNOTSUPP` where a hook cannot be had. Nothing is left registered.
    pub(crate) fn start(shared: Arc<Shared>) -> Result<Self> {
        shared.gate.forget();
        netdev::with_rtnl(|rtnl| shared.devices.refresh(rtnl))?;
        let fdb = FdbFollower::new()?;
        let ways = express::Follower::new()?;
        let ingress = Arc::pin_init(DeviceHooks::new(), GFP_KERNEL)?;
        let trim = KBox::new(Trim::new(&shared, &ingress)?, GFP_KERNEL)?;
        let devices = Notifier::new(Followed {
            egress: KBox::pin_init(DeviceHooks::new(), GFP_KERNEL)?,
            ingress,
            shared: shared.clone(),
        })?;
        // From here on dropping what is made takes everything away again.
        let hooks = Self {
            _gro: GroHook::new()?,
            devices,
            _fdb: fdb,
            _ways: ways,
            shared,
        };

        hooks.shared.trim.replace(Some(trim));
        // Frames may have been met at GRO before anybody could be told.
        with_rx_context(|cx| hooks.shared.trim(&cx));
        Ok(hooks)
    }

    /// Follows a new choice of entry devices.
    ///
    /// Context: process; sleeps, takes the RTNL.
    pub(crate) fn devices_changed(&self) {
        netdev::with_rtnl(|rtnl| {
            let followed = self.devices.events();

            rtnl.for_each_device(|device| followed.follow_entry(device, rtnl));
        });
    }
}

impl Drop for Hooks {
    fn drop(&mut self) {
        // Nothing is to be added to what waits.
        settings::set_mode(Mode::Off, false);
        // As long as something waits, what comes has to be seen. Each may go to those behind it.
        loop {
            self.shared.gate.drain();
            self.shared.isolation.drain();
            self.shared.batch.drain();
            // Something may have been held meanwhile.
            if self.shared.gate.is_drained() {
                break;
            }
        }
        self.shared.trim.replace(None);
    }
}

/// Takes the ingress hook from devices that turn out to use GRO, where their frames are met before.
pub(crate) struct Trim(Arc<Work<Trimmed>>);

struct Trimmed {
    shared: Arc<Shared>,
    ingress: Arc<DeviceHooks<Ingress<Path>>>,
}

impl Trim {
    fn new(shared: &Arc<Shared>, ingress: &Arc<DeviceHooks<Ingress<Path>>>) -> Result<Self> {
        let trimmed = Trimmed {
            shared: shared.clone(),
            ingress: ingress.clone(),
        };

        Ok(Self(Arc::pin_init(Work::new(Ok(trimmed)), GFP_KERNEL)?))
    }

    /// Looks at all devices soon.
    ///
    /// Context: any.
    pub(crate) fn queue(&self) {
        self.0.queue(0);
    }
}

impl Run for Trimmed {
    fn run(&self) -> Option<u32> {
        netdev::with_rtnl(|rtnl| {
            rtnl.for_each_device(|device| {
                if self.shared.devices.uses_gro(device) {
                    self.ingress.remove(device, rtnl);
                }
            });
        });
        None
    }
}

/// Hooks on devices, as devices come and go.
struct Followed {
    egress: Pin<KBox<DeviceHooks<Egress<Path>>>>,
    ingress: Arc<DeviceHooks<Ingress<Path>>>,
    shared: Arc<Shared>,
}

impl DeviceEvents for Followed {
    fn event(&self, event: Event, device: NetDevice<'_>, rtnl: &Rtnl) {
        match device.kind() {
            Kind::Veth | Kind::Netkit => self.pair(event, device, rtnl),
            Kind::Vxlan => self.tunnel(event, device, rtnl),
            _ => (),
        }
        self.entry(event, device, rtnl);
    }
}

impl Followed {
    /// A device whose packets go to its peer.
    fn pair(&self, event: Event, device: NetDevice<'_>, rtnl: &Rtnl) {
        match event {
            Event::Register => report("egress hook", self.egress.add(device, rtnl)),
            Event::Unregister => self.egress.remove(device, rtnl),
            _ => (),
        }
    }

    /// A VXLAN device, whose sockets are there while it is up.
    fn tunnel(&self, event: Event, device: NetDevice<'_>, rtnl: &Rtnl) {
        if event == Event::Unregister {
            vxlan::detach::<Path>(device, rtnl);
        }
        if !matches!(event, Event::Up | Event::Down | Event::Unregister) {
            return;
        }

        // A port is known as one of VXLAN before what comes there is decapsulated.
        let ports = self.shared.ports.refresh(rtnl);
        if event == Event::Up && ports.is_ok() {
            vxlan::attach::<Path>(device, rtnl);
        }
        report("VXLAN ports", ports);
    }

    /// A device that may be an entry.
    fn entry(&self, event: Event, device: NetDevice<'_>, rtnl: &Rtnl) {
        let devices = &self.shared.devices;
        let is_stale = match event {
            Event::Up | Event::Down => return,
            Event::Register | Event::Rename => {
                self.follow_entry(device, rtnl);
                !devices.knows(device, rtnl)
            }
            // Whether the device uses GRO is to be seen anew.
            Event::Features => {
                self.follow_entry(device, rtnl);
                devices.holds(device)
            }
            Event::Unregister => {
                self.ingress.remove(device, rtnl);
                if devices.holds(device) {
                    self.shared.gate.purge(&self.shared.stats, device);
                    self.shared.isolation.purge(&self.shared.stats, device);
                    self.shared.batch.purge(&self.shared.stats, device);
                }
                devices.holds(device)
            }
        };

        if is_stale {
            report("entry devices", devices.refresh(rtnl));
        }
    }

    fn follow_entry(&self, device: NetDevice<'_>, rtnl: &Rtnl) {
        if self.shared.devices.includes(device, rtnl) {
            report("ingress hook", self.ingress.add(device, rtnl));
            if self.shared.devices.uses_gro(device) {
                with_rx_context(|cx| self.shared.trim(&cx));
            }
        } else {
            self.ingress.remove(device, rtnl);
        }
    }
}

/// What cannot be hooked stays the kernel's; that much is said.
fn report(what: &str, result: Result) {
    if let Err(err) = result {
        pr_warn!("{what}: {err:?}; those packets take the kernel's path\n");
    }
}
