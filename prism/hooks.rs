// SPDX-License-Identifier: GPL-2.0

//! The hooks of the packet path, which are there while the mode is not `off`.

use kernel::{
    prelude::*,
    static_lock_class,
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
    devices::Choice,
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
    /// `ENOMEM`, also for one of the devices; `EBUSY` or `EOPNOTSUPP` where a hook cannot be had. Nothing
    /// is left registered.
    pub(crate) fn start(shared: Arc<Shared>) -> Result<Self> {
        shared.gate.forget();
        // From the first of them that the notifier tells of, they are those that are there.
        shared.devices.clear();
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

    /// Hooks the devices of a choice that is to be in force next.
    ///
    /// Context: process, under RTNL; sleeps.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; those of the choice in force are hooked, and no others.
    pub(crate) fn prepare(&self, choice: &Choice, rtnl: &Rtnl) -> Result {
        let followed = self.devices.events();
        let mut result = Ok(());

        rtnl.for_each_device(|device| {
            if result.is_ok() && choice.includes(device, rtnl) {
                result = followed.hook_entry(device, rtnl);
            }
        });
        result.inspect_err(|_| self.devices_changed(rtnl))
    }

    /// Follows a new choice of entry devices, which were [prepared](Hooks::prepare).
    ///
    /// Context: process, under RTNL; sleeps.
    pub(crate) fn devices_changed(&self, rtnl: &Rtnl) {
        let followed = self.devices.events();

        rtnl.for_each_device(|device| {
            if let Err(error) = followed.follow_entry(device, rtnl) {
                followed.missed(error, device, rtnl);
            }
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

        let work = Work::new(Ok(trimmed), static_lock_class!());

        Ok(Self(Arc::pin_init(work, GFP_KERNEL)?))
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
    fn event(&self, event: Event, device: NetDevice<'_>, rtnl: &Rtnl) -> Result {
        let hooked = match device.kind() {
            Kind::Veth | Kind::Netkit => self.pair(event, device, rtnl),
            Kind::Vxlan => {
                self.tunnel(event, device, rtnl);
                Ok(())
            }
            _ => Ok(()),
        };

        self.entry(event, device, rtnl).and(hooked)
    }

    fn missed(&self, error: Error, device: NetDevice<'_>, rtnl: &Rtnl) {
        report(device, rtnl, error);
    }
}

impl Followed {
    /// A device whose packets go to its peer.
    fn pair(&self, event: Event, device: NetDevice<'_>, rtnl: &Rtnl) -> Result {
        match event {
            Event::Register => tolerate(device, rtnl, self.egress.add(device, rtnl)),
            Event::Unregister => {
                self.egress.remove(device, rtnl);
                Ok(())
            }
            _ => Ok(()),
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
        self.shared.ports.refresh(rtnl);
        if event == Event::Up {
            vxlan::attach::<Path>(device, rtnl);
        }
    }

    /// A device that may be an entry. What goes is forgotten without fail, as another one may soon be
    /// where it was.
    fn entry(&self, event: Event, device: NetDevice<'_>, rtnl: &Rtnl) -> Result {
        let devices = &self.shared.devices;

        match event {
            Event::Up | Event::Down => Ok(()),
            Event::Register | Event::Rename => {
                let hooked = self.follow_entry(device, rtnl);

                match (devices.holds(device), devices.includes(device, rtnl)) {
                    (false, true) => devices.refresh(rtnl)?,
                    (true, false) => devices.lose(device),
                    _ => (),
                }
                hooked
            }
            // Whether the device uses GRO is to be seen anew.
            Event::Features => {
                let hooked = self.follow_entry(device, rtnl);

                devices.relearn(device);
                hooked
            }
            Event::Unregister => {
                self.ingress.remove(device, rtnl);
                if devices.may_have_waiting(device) {
                    self.shared.gate.purge(&self.shared, device);
                    self.shared.isolation.purge(&self.shared, device);
                    self.shared.batch.purge(&self.shared, device);
                }
                devices.forget(device);
                Ok(())
            }
        }
    }

    fn follow_entry(&self, device: NetDevice<'_>, rtnl: &Rtnl) -> Result {
        if self.shared.devices.includes(device, rtnl) {
            return self.hook_entry(device, rtnl);
        }
        self.ingress.remove(device, rtnl);
        Ok(())
    }

    fn hook_entry(&self, device: NetDevice<'_>, rtnl: &Rtnl) -> Result {
        tolerate(device, rtnl, self.ingress.add(device, rtnl))?;
        if self.shared.devices.uses_gro(device) {
            with_rx_context(|cx| self.shared.trim(&cx));
        }
        Ok(())
    }
}

/// What can never be hooked stays the kernel's, and only a lack of memory is an error.
fn tolerate(device: NetDevice<'_>, rtnl: &Rtnl, result: Result) -> Result {
    result.or_else(|error| {
        if error == ENOMEM {
            return Err(error);
        }
        report(device, rtnl, error);
        Ok(())
    })
}

/// Says that a device stays the kernel's.
fn report(device: NetDevice<'_>, rtnl: &Rtnl, error: Error) {
    let name = device.name(rtnl).to_str().unwrap_or("?");

    pr_warn!("{name} cannot be hooked: {error:?}; its packets take the kernel's path\n");
}
