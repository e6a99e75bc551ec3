// SPDX-License-Identifier: Apache-2.0
//! What passes between a guest and its owner by way of the node.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};
use types::Secret;

/// What the guest may learn of itself, by metadata service or config drive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceMetadata {
    pub hostname: String,
    pub name: String,
    pub availability_zone: String,
    pub launch_index: u32,
    pub flavor: String,
    pub public_keys: BTreeMap<String, String>,
    pub meta: BTreeMap<String, String>,
    /// Base64, as the user sent it.
    #[serde(serialize_with = "types::secret::plain")]
    pub user_data: Option<Secret<String>>,
    #[serde(serialize_with = "types::secret::plain")]
    pub admin_password: Option<Secret<String>>,
    /// What the guest itself said, for its owner.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "types::secret::plain")]
    pub guest_password: Option<Secret<String>>,
    pub floating_ips: Vec<IpAddr>,
    /// EC2's `reservation-id`.
    pub reservation_id: String,
    pub security_groups: Vec<String>,
}

/// The password that a guest made for its administrator, encrypted by itself with its owner's public key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestPassword {
    #[serde(serialize_with = "types::secret::plain")]
    pub password: Secret<String>,
}

impl GuestPassword {
    /// Bytes: what Nova has room for.
    pub const LONGEST: usize = 4 * 255;
}
