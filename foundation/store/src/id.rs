// SPDX-License-Identifier: Apache-2.0
//! The house's ids as parameters and columns: `params![server.id]`, `row.get::<ServerId>(0)`.

use types::{
    AddressGroupId, AllocationConsumer, AttachmentId, CredentialId, DatabaseId, DomainId, EndpointId, FlavorId, FloatingIpId,
    GroupId, HealthMonitorId, ImageId, ListenerId, LoadBalancerId, MemberId, NetworkId, NodeId, OperationId, PoolId, PortId,
    ProjectId, ProviderId, RoleId, RouterId, SecurityGroupId, SecurityGroupRuleId, ServerId, ServiceId, SnapshotId, SubnetId,
    UserId, VolumeId,
};

use crate::{FromValue, Value, ValueRef};

macro_rules! ids {
    ($($id:ty),+ $(,)?) => {$(
        impl From<&$id> for Value {
            fn from(id: &$id) -> Self { Self::Text(id.as_str().to_owned()) }
        }
        impl From<$id> for Value {
            fn from(id: $id) -> Self { Self::Text(id.into_string()) }
        }
        impl<'a> FromValue<'a> for $id {
            const WANTED: &'static str = "id";
            fn from_value(value: ValueRef<'a>) -> Option<Self> {
                <&str>::from_value(value).map(<$id>::new)
            }
        }
    )+};
}

ids!(
    AddressGroupId,
    AllocationConsumer,
    AttachmentId,
    CredentialId,
    DatabaseId,
    DomainId,
    EndpointId,
    FlavorId,
    FloatingIpId,
    GroupId,
    HealthMonitorId,
    ImageId,
    ListenerId,
    LoadBalancerId,
    MemberId,
    NetworkId,
    NodeId,
    OperationId,
    PoolId,
    PortId,
    ProjectId,
    ProviderId,
    RoleId,
    RouterId,
    SecurityGroupId,
    SecurityGroupRuleId,
    ServerId,
    ServiceId,
    SnapshotId,
    SubnetId,
    UserId,
    VolumeId,
);
