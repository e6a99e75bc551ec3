// SPDX-License-Identifier: Apache-2.0
//! Who may do what here by default.

use crate::policy::OWN_USER;

access::policies! {
    INDEX = "os_compute_api:os-keypairs:index", OWN_USER, "List keypairs.";
    SHOW = "os_compute_api:os-keypairs:show", OWN_USER, "Show a keypair.";
    CREATE = "os_compute_api:os-keypairs:create", OWN_USER, "Import or create a keypair.";
    DELETE = "os_compute_api:os-keypairs:delete", OWN_USER, "Delete a keypair.";
}
