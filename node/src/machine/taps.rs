// SPDX-License-Identifier: Apache-2.0
//! Which port has which tap. A tap's name holds ten digits of its port's id, as people look for on a host; whose it is, is
//! known here by the whole id, so that two ports whose ids begin alike are told apart before either gets the other's frames.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use qemu::tap;
use types::PortId;

use crate::{Error, Result};

#[derive(Debug, Default)]
pub(crate) struct Taps(Mutex<HashMap<String, PortId>>);

impl Taps {
    /// Takes the tap's name for this port.
    ///
    /// Invariant: a tap is one port's, whatever its name is short for (test: `two_ports_never_share_a_tap`).
    pub fn claim(&self, port: &PortId) -> Result<()> {
        let Some(name) = name_of(port) else { return Ok(()) };
        let mut taken = self.lock();
        let holder = taken.entry(name.clone()).or_insert_with(|| port.clone());
        if holder == port {
            return Ok(());
        }
        let message =
            format!("{name} is the tap of port {holder} on this host, and port {port} would have the same: make another port");
        Err(Error::Unfit(message))
    }

    pub fn release(&self, port: &PortId) {
        let Some(name) = name_of(port) else { return };
        let mut taken = self.lock();
        if taken.get(&name) == Some(port) {
            taken.remove(&name);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, PortId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn name_of(port: &PortId) -> Option<String> {
    Some(tap::name_of(port.as_str().parse().ok()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn two_ports_never_share_a_tap() {
        let taps = Taps::default();
        let one = PortId::from("12345678-9abc-4def-8000-000000000001");
        let other = PortId::from("12345678-9abc-4def-8000-000000000002");
        taps.claim(&one).unwrap();
        taps.claim(&one).unwrap();
        let refused = taps.claim(&other).unwrap_err().to_string();
        assert!(refused.contains(one.as_str()) && refused.contains("make another port"), "{refused}");
        taps.release(&other);
        assert!(taps.claim(&other).is_err(), "only its holder gives it up");
        taps.release(&one);
        taps.claim(&other).unwrap();
    }
}
