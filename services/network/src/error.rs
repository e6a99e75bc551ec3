// SPDX-License-Identifier: Apache-2.0
//! Every way in which this room says no, as one table: the status, Neutron's name for it, and the sentence.
//!
//! Clients branch on the names (`NeutronError.type`), so those are Neutron's own; people read the sentences, so those
//! name the cause.

use api::Fault;
use contracts::{Refusal, RefusalKind};
use http::StatusCode;

pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! errors {
    ($($status:ident $name:ident { $($field:ident: $kind:ty),* } $text:literal)+) => {
        // Clients know these names, so they are not ours to shorten.
        #[allow(clippy::enum_variant_names)]
        #[derive(Debug, Clone, thiserror::Error)]
        pub enum Error {
            $(#[error($text)] $name { $($field: $kind),* },)+
            /// A request that cannot be read.
            #[error("{0}")]
            BadRequest(String),
            #[error(transparent)]
            Denied(#[from] access::Denied),
            /// OVN's southbound database was not read yet.
            #[error("the hosts are not known yet")]
            HostsUnknown,
            #[error("use the tables")]
            Store(#[from] store::Error),
        }

        impl Error {
            /// Neutron's name for the refusals of the table.
            fn named(&self) -> Option<(StatusCode, &'static str)> {
                match self {
                    $(Self::$name { .. } => Some((StatusCode::$status, stringify!($name))),)+
                    _ => None,
                }
            }
        }
    };
}

errors! {
    NOT_FOUND NetworkNotFound { net_id: String } "Network {net_id} could not be found."
    NOT_FOUND SubnetNotFound { subnet_id: String } "Subnet {subnet_id} could not be found."
    NOT_FOUND SubnetPoolNotFound { subnetpool_id: String } "Subnet pool {subnetpool_id} could not be found."
    NOT_FOUND PortNotFound { port_id: String } "Port {port_id} could not be found."
    NOT_FOUND RouterNotFound { router_id: String } "Router {router_id} could not be found."
    NOT_FOUND FloatingIPNotFound { floatingip_id: String } "Floating IP {floatingip_id} could not be found."
    NOT_FOUND SecurityGroupNotFound { id: String } "Security group {id} does not exist."
    NOT_FOUND SecurityGroupRuleNotFound { id: String } "Security group rule {id} does not exist."
    NOT_FOUND AddressGroupNotFound { id: String } "Address group {id} could not be found."
    NOT_FOUND AddressesNotFound { addresses: String, id: String } "Addresses {addresses} are not in the address group {id}."
    NOT_FOUND ExtensionNotFound { alias: String } "There is no extension with the alias {alias}."
    NOT_FOUND AgentNotFound { id: String } "Agent {id} could not be found."
    NOT_FOUND TagNotFound { tag: String } "The resource has no tag {tag}."

    BAD_REQUEST InvalidInput { reason: String } "Invalid input for operation: {reason}."
    BAD_REQUEST InvalidAllocationPool { pool: String } "The allocation pool {pool} is not a range of addresses."
    BAD_REQUEST OutOfBoundsAllocationPool { pool: String, cidr: String } "The allocation pool {pool} reaches outside the subnet {cidr}."
    CONFLICT OverlappingAllocationPools { one: String, other: String, cidr: String } "The allocation pools {one} and {other} of the subnet {cidr} overlap."
    CONFLICT GatewayConflictWithAllocationPools { gateway: String, pool: String } "The gateway {gateway} lies in the allocation pool {pool}."
    BAD_REQUEST InvalidIpForNetwork { address: String } "The address {address} lies in no subnet of the network."
    BAD_REQUEST InvalidIpForSubnet { address: String } "The address {address} is not one of the subnet's that a port can have."
    BAD_REQUEST AllocationOnAutoAddressSubnet { address: String, subnet_id: String } "The address {address} cannot be chosen: subnet {subnet_id} derives addresses from the MAC."
    BAD_REQUEST DNSNameServersExhausted { most: usize } "A subnet has at most {most} name servers."
    BAD_REQUEST HostRoutesExhausted { most: usize } "A subnet has at most {most} host routes."
    CONFLICT IpAddressAlreadyAllocated { address: String, subnet_id: String, holder: String } "The address {address} of subnet {subnet_id} is taken{holder}."
    CONFLICT IpAddressInUse { address: String, net_id: String, holder: String } "The address {address} of network {net_id} is in use{holder}."
    CONFLICT IpAddressGenerationFailure { net_id: String, subnets: String } "No address is left on network {net_id} (subnets {subnets}). Delete unused ports or add a subnet."
    CONFLICT MacAddressInUse { mac: String, net_id: String } "Another port of network {net_id} has the MAC address {mac}."
    CONFLICT SubnetInUse { subnet_id: String, reason: String } "Subnet {subnet_id} is in use: {reason}"
    BAD_REQUEST SubnetPoolDeleteError { reason: String } "Unable to delete subnet pool: {reason}."
    CONFLICT SubnetAllocationError { reason: String } "Failed to allocate subnet: {reason}."
    CONFLICT SubnetPoolQuotaExceeded { most: i64 } "Per-tenant subnet pool prefix quota of {most} exceeded."
    BAD_REQUEST MinPrefixSubnetAllocationError { prefixlen: u16, min_prefixlen: u16 } "Unable to allocate subnet with prefix length {prefixlen}, minimum allowed prefix is {min_prefixlen}."
    BAD_REQUEST MaxPrefixSubnetAllocationError { prefixlen: u16, max_prefixlen: u16 } "Unable to allocate subnet with prefix length {prefixlen}, maximum allowed prefix is {max_prefixlen}."
    BAD_REQUEST IllegalSubnetPoolPrefixBounds { prefixes: String } "The prefix lengths of the pool contradict each other: {prefixes}."
    BAD_REQUEST IllegalSubnetPoolPrefixUpdate { msg: String } "The prefixes of the pool cannot change so: {msg}."
    CONFLICT NetworkInUse { net_id: String, reason: String } "Network {net_id} is in use: {reason}"
    CONFLICT ExternalNetworkInUse { net_id: String } "Network {net_id} must stay external: routers have gateways or floating addresses on it."
    CONFLICT InvalidSharedSetting { network: String } "Network {network} must stay shared: other projects have ports on it."
    CONFLICT GatewayIpInUse { ip: String, port_id: String } "The gateway {ip} is in use by port {port_id}."
    CONFLICT VlanIdInUse { vlan_id: i64, physical_network: String } "VLAN {vlan_id} of physical network {physical_network} belongs to another network."
    CONFLICT FlatNetworkInUse { physical_network: String } "The untagged side of physical network {physical_network} belongs to another network."
    CONFLICT TunnelIdInUse { tunnel_id: i64 } "The segmentation id {tunnel_id} belongs to another network."
    SERVICE_UNAVAILABLE NoNetworkAvailable { kind: String } "No segmentation id is left for networks of type {kind}."

    CONFLICT ServicePortInUse { port_id: String, reason: String } "Port {port_id} cannot be deleted directly: {reason}"
    CONFLICT PortInUse { port_id: String, device_id: String } "Port {port_id} is in use by {device_id}."
    CONFLICT PortBound { port_id: String, host: String } "The MAC address of port {port_id} cannot change while it is bound to host {host}."
    CONFLICT PortSecurityPortHasSecurityGroup { port_id: String } "Port {port_id} has security groups; take them off before its port security is switched off."
    BAD_REQUEST PortSecurityAndIPRequiredForSecurityGroups { port_id: String } "Port {port_id} needs port security and an address to have security groups."
    BAD_REQUEST DuplicateAddressPairInRequest { mac_address: String, ip_address: String } "The pair of {mac_address} and {ip_address} stands there twice."
    CONFLICT AddressPairAndPortSecurityRequired { port_id: String } "Port {port_id} needs port security to have allowed address pairs."

    CONFLICT SecurityGroupInUse { id: String } "Security group {id} is in use by a port."
    CONFLICT SecurityGroupConflict { reason: String } "Error {reason} while attempting the operation."
    CONFLICT SecurityGroupCannotRemoveDefault { id: String } "Security group {id} is its project's default and cannot be removed."
    CONFLICT SecurityGroupCannotUpdateDefault { id: String } "Security group {id} is its project's default and cannot be renamed."
    CONFLICT SecurityGroupDefaultAlreadyExists { project: String } "Project {project} has its default security group already."
    CONFLICT SecurityGroupRuleExists { rule_id: String } "Security group rule {rule_id} says the same already."
    BAD_REQUEST SecurityGroupMultipleRemoteEntites { id: String } "A rule of security group {id} names one of a remote group, a remote address group and a remote prefix, not several."
    BAD_REQUEST AddressesAlreadyExist { addresses: String, id: String } "Addresses {addresses} are in the address group {id} already."
    CONFLICT AddressGroupInUse { id: String } "Address group {id} is in use on one or more security group rules."
    BAD_REQUEST SecurityGroupProtocolRequiredWithPorts { id: String } "A rule of security group {id} with ports must name a protocol that has ports."
    BAD_REQUEST SecurityGroupInvalidPortRange { range: String } "The port range {range} is not one: both ends are given and port_range_min must be <= port_range_max."
    BAD_REQUEST SecurityGroupInvalidPortValue { port: i64 } "Invalid value for port {port}: it is a number from 1 to 65535."
    BAD_REQUEST SecurityGroupInvalidIcmpValue { field: String, value: i64 } "Invalid value for ICMP {field}: {value} is not a number from 0 to 255."
    BAD_REQUEST SecurityGroupMissingIcmpType { code: i64 } "The code {code} is given but the ICMP type (port-range-min) is missing."
    BAD_REQUEST SecurityGroupRuleInvalidProtocol { protocol: String } "The protocol {protocol} is neither one of the known names nor a number from 0 to 255."
    BAD_REQUEST SecurityGroupRuleInvalidEtherType { ethertype: String } "The ethertype {ethertype} is neither IPv4 nor IPv6."
    BAD_REQUEST SecurityGroupEthertypeConflictWithProtocol { ethertype: String, protocol: String } "The protocol {protocol} does not exist in {ethertype}."
    BAD_REQUEST SecurityGroupRuleParameterConflict { ethertype: String, cidr: String } "Conflicting value ethertype {ethertype} for CIDR {cidr}."

    CONFLICT RouterInUse { router_id: String, reason: String } "Router {router_id} is in use: {reason}."
    CONFLICT RouterInterfaceInUseByFloatingIP { router_id: String, subnet_id: String } "The interface of router {router_id} to subnet {subnet_id} is needed by floating addresses."
    CONFLICT RouterInterfaceInUseByRoute { router_id: String, subnet_id: String } "The interface of router {router_id} to subnet {subnet_id} is needed by its routes."
    BAD_REQUEST SubnetMismatchForPort { port_id: String, subnet_id: String } "Port {port_id} has no address in subnet {subnet_id}."
    NOT_FOUND RouterInterfaceNotFound { router_id: String, port_id: String } "Router {router_id} has no interface with the port {port_id}."
    NOT_FOUND RouterInterfaceNotFoundForSubnet { router_id: String, subnet_id: String } "Router {router_id} has no interface to subnet {subnet_id}."
    CONFLICT RouterExternalGatewayInUseByFloatingIp { router_id: String, net_id: String } "The gateway of router {router_id} to network {net_id} is needed by floating addresses."
    BAD_REQUEST InvalidRoutes { routes: String, reason: String } "The routes {routes} cannot be: {reason}."
    BAD_REQUEST RoutesExhausted { router_id: String, most: usize } "Router {router_id} would have more than {most} routes."
    NOT_FOUND ExternalGatewayForFloatingIPNotFound { subnet_id: String, net_id: String, port_id: String } "No router leads from subnet {subnet_id} of port {port_id} to the external network {net_id}. Give a router a gateway there and an interface here."
    CONFLICT FloatingIPPortAlreadyAssociated { address: String, fixed_ip: String, port_id: String } "The address {fixed_ip} of port {port_id} has a floating address on the network of {address} already."

    CONFLICT OverQuota { overs: String } "Quota exceeded for resources: [{overs}]. Delete some, or ask the operator to raise it."
    PRECONDITION_FAILED RevisionNumberConstraintFailed { found: i64 } "The resource is at revision {found}, not at the one that If-Match names."
    FORBIDDEN NotAuthorized { reason: String } "{reason}"
}

impl Error {
    pub fn bad(message: impl Into<String>) -> Self {
        Self::BadRequest(message.into())
    }

    pub fn invalid(reason: impl Into<String>) -> Self {
        Self::InvalidInput { reason: reason.into() }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        if let Some((status, name)) = error.named() {
            return Self::new(status, error.to_string()).kind(name);
        }
        match error {
            Error::Denied(denied) => denied.into(),
            Error::Store(store::Error::MarkerNotFound) => Self::bad_request("The marker names nothing that is in this list."),
            Error::Store(store) => store.into(),
            other => Self::bad_request(other.to_string()),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let kind = match error.named().map(|(status, _)| status) {
            Some(StatusCode::NOT_FOUND) => RefusalKind::NotFound,
            Some(StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED) => RefusalKind::Conflict,
            Some(StatusCode::FORBIDDEN) => RefusalKind::Forbidden,
            Some(StatusCode::SERVICE_UNAVAILABLE) => RefusalKind::Exhausted,
            _ => match &error {
                Error::Store(store::Error::Conflict) => RefusalKind::Conflict,
                Error::Store(_) | Error::HostsUnknown => RefusalKind::Unavailable,
                Error::Denied(_) => RefusalKind::Forbidden,
                _ => RefusalKind::Invalid,
            },
        };
        let kind = match &error {
            Error::OverQuota { .. } | Error::IpAddressGenerationFailure { .. } => RefusalKind::Exhausted,
            _ => kind,
        };
        if let Error::Store(cause) = &error {
            tracing::error!(%cause, "the tables of the network room do not answer");
        }
        Self::new(kind, error.to_string())
    }
}
