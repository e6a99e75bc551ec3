// SPDX-License-Identifier: Apache-2.0
//! Who may do what here by default.

use crate::policy::{MEMBER, READER};

access::policies! {
    INDEX = "volume:get_all_transfers", READER, "List offers of volumes.";
    SHOW = "volume:get_transfer", READER, "Show the offer of a volume.";
    CREATE = "volume:create_transfer", MEMBER, "Offer a volume to another project.";
    ACCEPT = "volume:accept_transfer", MEMBER, "Take a volume that is offered.";
    DELETE = "volume:delete_transfer", MEMBER, "Take back the offer of a volume.";
}
