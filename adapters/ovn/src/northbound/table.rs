// SPDX-License-Identifier: Apache-2.0
//! The tables of OVN_Northbound that we write, and who writes which of their columns.

/// A table of the northbound database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    LogicalSwitch,
    LogicalSwitchPort,
    LogicalRouter,
    LogicalRouterPort,
    LogicalRouterStaticRoute,
    LogicalRouterPolicy,
    GatewayChassis,
    HaChassisGroup,
    HaChassis,
    Nat,
    DhcpOptions,
    Dns,
    PortGroup,
    Acl,
    AddressSet,
    Qos,
    LoadBalancer,
    LoadBalancerHealthCheck,
}

/// Which column of the first table holds rows of the second. Membership is stated by the member, so that a switch and
/// its thousand ports can be written apart from each other, and a port says itself which groups it is in.
const MEMBERSHIPS: &[(Table, &str, Table)] = &[
    (Table::LogicalSwitch, "ports", Table::LogicalSwitchPort),
    (Table::LogicalSwitch, "acls", Table::Acl),
    (Table::LogicalSwitch, "qos_rules", Table::Qos),
    (Table::LogicalSwitch, "dns_records", Table::Dns),
    (Table::LogicalSwitch, "load_balancer", Table::LoadBalancer),
    (Table::LogicalRouter, "ports", Table::LogicalRouterPort),
    (Table::LogicalRouter, "static_routes", Table::LogicalRouterStaticRoute),
    (Table::LogicalRouter, "policies", Table::LogicalRouterPolicy),
    (Table::LogicalRouter, "nat", Table::Nat),
    (Table::LogicalRouter, "load_balancer", Table::LoadBalancer),
    (Table::LogicalRouterPort, "gateway_chassis", Table::GatewayChassis),
    (Table::HaChassisGroup, "ha_chassis", Table::HaChassis),
    (Table::PortGroup, "ports", Table::LogicalSwitchPort),
    (Table::PortGroup, "acls", Table::Acl),
    (Table::LoadBalancer, "health_check", Table::LoadBalancerHealthCheck),
];

/// Columns that ovn-northd writes; they are left as they are.
const NORTHD_COLUMNS: &[(Table, &str)] = &[
    (Table::LogicalSwitchPort, "up"),
    (Table::LogicalSwitchPort, "dynamic_addresses"),
    (Table::LogicalRouterPort, "ipv6_prefix"),
    (Table::LogicalRouterPort, "status"),
];

impl Table {
    pub(crate) const ALL: [Self; 18] = [
        Self::LogicalSwitch,
        Self::LogicalSwitchPort,
        Self::LogicalRouter,
        Self::LogicalRouterPort,
        Self::LogicalRouterStaticRoute,
        Self::LogicalRouterPolicy,
        Self::GatewayChassis,
        Self::HaChassisGroup,
        Self::HaChassis,
        Self::Nat,
        Self::DhcpOptions,
        Self::Dns,
        Self::PortGroup,
        Self::Acl,
        Self::AddressSet,
        Self::Qos,
        Self::LoadBalancer,
        Self::LoadBalancerHealthCheck,
    ];

    /// The name in the schema.
    pub fn name(self) -> &'static str {
        match self {
            Self::LogicalSwitch => "Logical_Switch",
            Self::LogicalSwitchPort => "Logical_Switch_Port",
            Self::LogicalRouter => "Logical_Router",
            Self::LogicalRouterPort => "Logical_Router_Port",
            Self::LogicalRouterStaticRoute => "Logical_Router_Static_Route",
            Self::LogicalRouterPolicy => "Logical_Router_Policy",
            Self::GatewayChassis => "Gateway_Chassis",
            Self::HaChassisGroup => "HA_Chassis_Group",
            Self::HaChassis => "HA_Chassis",
            Self::Nat => "NAT",
            Self::DhcpOptions => "DHCP_Options",
            Self::Dns => "DNS",
            Self::PortGroup => "Port_Group",
            Self::Acl => "ACL",
            Self::AddressSet => "Address_Set",
            Self::Qos => "QoS",
            Self::LoadBalancer => "Load_Balancer",
            Self::LoadBalancerHealthCheck => "Load_Balancer_Health_Check",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }

    /// The column of `self` that holds its members from `member`.
    pub(crate) fn member_column(self, member: Self) -> Option<&'static str> {
        let found = MEMBERSHIPS.iter().find(|(holder, _, held)| (*holder, *held) == (self, member));
        found.map(|(_, column, _)| *column)
    }

    /// Whether this column of this table states membership.
    pub(crate) fn holds_members(self, column: &str) -> bool {
        MEMBERSHIPS.iter().any(|(holder, held_in, _)| (*holder, *held_in) == (self, column))
    }

    /// Whether ovn-northd writes this column.
    pub(crate) fn is_northds(self, column: &str) -> bool {
        NORTHD_COLUMNS.contains(&(self, column))
    }

    /// Whether the database drops a row of this table as soon as nothing holds it.
    pub(crate) fn needs_holder(self) -> bool {
        !matches!(
            self,
            Self::LogicalSwitch
                | Self::LogicalRouter
                | Self::HaChassisGroup
                | Self::DhcpOptions
                | Self::Dns
                | Self::PortGroup
                | Self::AddressSet
                | Self::LoadBalancer
        )
    }
}
