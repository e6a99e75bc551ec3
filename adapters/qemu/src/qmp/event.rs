// SPDX-License-Identifier: Apache-2.0
//! What a machine tells us unasked.

use serde_json::Value;

#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// QEMU is about to exit. `by_guest` tells a guest's own power-off from ours; `reason` is QEMU's word for it.
    Shutdown {
        by_guest: bool,
        reason: String,
    },
    /// The machine was reset and goes on running.
    Reset {
        by_guest: bool,
    },
    /// The guest was sent the power button; what it makes of it is its own affair.
    Powerdown,
    Stop,
    Resume,
    GuestPanicked,
    /// The guest did not feed its watchdog; `action` is what QEMU does then.
    Watchdog {
        action: String,
    },
    /// A disk failed the guest. Either its request failed, too, or it is held until it is let go on.
    DiskError {
        /// The name of the disk's block node.
        node: String,
        held: bool,
        reason: String,
    },
    /// A device was unplugged for good: what it was made of may be released.
    DeviceDeleted {
        device: String,
    },
    /// The guest was asked to let go of a device, and will not.
    UnplugRefused {
        device: String,
    },
    /// An event that we have no use for yet.
    Other {
        name: String,
        data: Value,
    },
}

impl Event {
    pub(super) fn new(name: &str, data: Value) -> Self {
        let flag = |key: &str| data[key].as_bool().unwrap_or(false);
        let text = |key: &str| data[key].as_str().unwrap_or_default().to_owned();
        match name {
            "SHUTDOWN" => Self::Shutdown { by_guest: flag("guest"), reason: text("reason") },
            "RESET" => Self::Reset { by_guest: flag("guest") },
            "POWERDOWN" => Self::Powerdown,
            "STOP" => Self::Stop,
            "RESUME" => Self::Resume,
            "GUEST_PANICKED" => Self::GuestPanicked,
            "WATCHDOG" => Self::Watchdog { action: text("action") },
            "BLOCK_IO_ERROR" => {
                Self::DiskError { node: text("node-name"), held: data["action"] == "stop", reason: text("reason") }
            }
            // The path-only form, for a device that has no id, is of no use to us: all of ours have one.
            "DEVICE_DELETED" if data["device"].is_string() => Self::DeviceDeleted { device: text("device") },
            "DEVICE_UNPLUG_GUEST_ERROR" if data["device"].is_string() => Self::UnplugRefused { device: text("device") },
            _ => Self::Other { name: name.to_owned(), data },
        }
    }
}
