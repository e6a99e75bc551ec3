// SPDX-License-Identifier: Apache-2.0
//! Ids with kinds: the one registry. An untyped id in a signature is a bug.
//!
//! OpenStack has two spellings: Keystone's things carry 32 hex digits (and the word `default` for the first
//! domain), all others a UUID with dashes. Clients may send any text as an id; text that names nothing is simply
//! not found, so an id is a string with a kind, not a parsed UUID.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($make:ident: $($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// A new, never used id.
            pub fn generate() -> Self { Self($make()) }
            /// The id that a client or a row names.
            pub fn new(text: impl Into<String>) -> Self { Self(text.into()) }
            pub fn as_str(&self) -> &str { &self.0 }
            pub fn into_string(self) -> String { self.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl From<&str> for $name { fn from(text: &str) -> Self { Self(text.to_owned()) } }
        impl From<String> for $name { fn from(text: String) -> Self { Self(text) } }
        impl From<$name> for String { fn from(id: $name) -> String { id.0 } }
        impl AsRef<str> for $name { fn as_ref(&self) -> &str { &self.0 } }
    )+};
}

// Keystone's spelling: 32 hex digits.
ids!(hex_id: CredentialId, DomainId, EndpointId, GroupId, ProjectId, RoleId, ServiceId, UserId);

// Everybody else's: a UUID with dashes.
ids!(dashed_id:
    AddressGroupId,
    AllocationConsumer,
    /// That a volume is somebody's, or shall be.
    AttachmentId,
    /// The tables of a cloud; a copy of them has the same id.
    DatabaseId,
    FlavorId,
    FloatingIpId,
    HealthMonitorId,
    ImageId,
    ListenerId,
    LoadBalancerId,
    MemberId,
    NetworkId,
    /// A host that runs the agent; also the id of its resource provider and of its compute service.
    NodeId,
    /// What is being done to a server; placement knows the room of a server that moves by it.
    OperationId,
    PoolId,
    PortId,
    ProviderId,
    RouterId,
    SecurityGroupId,
    SecurityGroupRuleId,
    ServerId,
    /// Of a volume. That of a server is an image.
    SnapshotId,
    SubnetId,
    VolumeId,
);

impl PortId {
    /// The name of the port's tap on its host: the same at every start, and as every agent of OpenStack's names it, which is
    /// what people look for.
    pub fn tap(&self) -> String {
        /// `IFNAMSIZ` less the final NUL, and less the prefix and the last character, which Neutron leaves out.
        const KEPT: usize = 11;
        format!("tap{}", self.0.chars().take(KEPT).collect::<String>())
    }
}

fn dashed_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn hex_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_ids_have_no_dashes_and_others_do() {
        assert_eq!(ProjectId::generate().as_str().len(), 32);
        assert_eq!(ServerId::generate().as_str().len(), 36);
        assert_ne!(ServerId::generate(), ServerId::generate());
    }

    #[test]
    fn a_tap_fits_into_the_name_of_an_interface() {
        assert_eq!(PortId::from("12345678-9abc-4def-8000-000000000000").tap(), "tap12345678-9a");
        assert_eq!(PortId::from("x").tap(), "tapx");
    }
}
