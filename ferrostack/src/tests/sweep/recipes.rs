// SPDX-License-Identifier: Apache-2.0
//! How a thing of each kind is made, what the parts of a path name, and the bodies without which a route looks no
//! further.

use http::Method;
use serde_json::{Value, json};

use super::{CANARY, Swept, things::Things};

pub struct Recipe {
    pub kind: &'static str,
    pub maker: &'static str,
    pub path: &'static str,
    pub body: &'static str,
    /// Where its id stands in the answer.
    pub id: &'static str,
    /// What must be done further until it is as one wants it.
    pub then: &'static [(&'static str, &'static str, &'static str)],
}

const fn made_by(maker: &'static str, kind: &'static str, path: &'static str, body: &'static str, id: &'static str) -> Recipe {
    Recipe { kind, maker, path, body, id, then: &[] }
}

/// The kind is what the path calls them; `member` and `cloud` say whose they are.
#[rustfmt::skip]
pub const RECIPES: &[Recipe] = &[
    made_by("cloud", "domains", "/identity/v3/domains", r#"{"domain": {"name": "$name", "enabled": false}}"#, "/domain/id"),
    made_by("cloud", "projects", "/identity/v3/projects", r#"{"project": {"name": "$name", "domain_id": "default"}}"#, "/project/id"),
    made_by("cloud", "users", "/identity/v3/users", r#"{"user": {"name": "$name", "domain_id": "default"}}"#, "/user/id"),
    made_by("cloud", "groups", "/identity/v3/groups", r#"{"group": {"name": "$name", "domain_id": "default"}}"#, "/group/id"),
    made_by("cloud", "roles", "/identity/v3/roles", r#"{"role": {"name": "of-all-$number"}}"#, "/role/id"),
    made_by("cloud", "implies", "/identity/v3/roles", r#"{"role": {"name": "of-all-$number"}}"#, "/role/id"),
    made_by("cloud", "regions", "/identity/v3/regions", r#"{"region": {"id": "region-$number"}}"#, "/region/id"),
    made_by("cloud", "services", "/identity/v3/services", r#"{"service": {"name": "of-all", "type": "kind-$number"}}"#, "/service/id"),
    made_by("cloud", "endpoints", "/identity/v3/endpoints", r#"{"endpoint": {"service_id": "$services", "interface": "public", "url": "http://a"}}"#, "/endpoint/id"),
    made_by("cloud", "registered_limits", "/identity/v3/registered_limits", r#"{"registered_limits": [{"service_id": "$services", "resource_name": "things-$number", "default_limit": 1}]}"#, "/registered_limits/0/id"),
    made_by("cloud", "limits", "/identity/v3/limits", r#"{"limits": [{"service_id": "$services", "project_id": "$project", "resource_name": "limited", "resource_limit": 1}]}"#, "/limits/0/id"),
    made_by("cloud", "the-registered", "/identity/v3/registered_limits", r#"{"registered_limits": [{"service_id": "$services", "resource_name": "limited", "default_limit": 1}]}"#, "/registered_limits/0/id"),
    made_by("member", "application_credentials", "/identity/v3/users/$member/application_credentials", r#"{"application_credential": {"name": "$name", "secret": "a secret"}}"#, "/application_credential/id"),
    made_by("member", "credentials", "/identity/v3/credentials", r#"{"credential": {"type": "cert", "blob": "$name", "user_id": "$member"}}"#, "/credential/id"),
    made_by("member", "OS-EC2", "/identity/v3/users/$member/credentials/OS-EC2", r#"{"tenant_id": "$project"}"#, "/credential/access"),
    made_by("member", "access_rules", "/identity/v3/users/$member/application_credentials", r#"{"application_credential": {"name": "$name", "secret": "a secret", "access_rules": [{"service": "compute", "method": "GET", "path": "/v2.1/canary"}]}}"#, "/application_credential/access_rules/0/id"),
    made_by("member", "trusts", "/identity/v3/OS-TRUST/trusts", r#"{"trust": {"trustor_user_id": "$member", "trustee_user_id": "$trustee", "project_id": "$project", "impersonation": false, "roles": [{"name": "reader"}]}}"#, "/trust/id"),
    made_by("cloud", "policies", "/identity/v3/policies", r#"{"policy": {"blob": "{}", "type": "application/json"}}"#, "/policy/id"),
    made_by("cloud", "endpoint_groups", "/identity/v3/OS-EP-FILTER/endpoint_groups", r#"{"endpoint_group": {"name": "$name", "filters": {"interface": "public"}}}"#, "/endpoint_group/id"),
    made_by("cloud", "consumers", "/identity/v3/OS-OAUTH1/consumers", r#"{"consumer": {"description": "$name"}}"#, "/consumer/id"),
    made_by("cloud", "identity_providers", "PUT /identity/v3/OS-FEDERATION/identity_providers/idp-$number", r#"{"identity_provider": {"description": "$name"}}"#, "/identity_provider/id"),
    made_by("cloud", "mappings", "PUT /identity/v3/OS-FEDERATION/mappings/mapping-$number", r#"{"mapping": {"rules": [{"local": [{"user": {"name": "{0}"}}], "remote": [{"type": "REMOTE_USER"}]}]}}"#, "/mapping/id"),
    made_by("cloud", "protocols", "PUT /identity/v3/OS-FEDERATION/identity_providers/$identity_providers/protocols/protocol-$number", r#"{"protocol": {"mapping_id": "$mappings"}}"#, "/protocol/id"),
    made_by("cloud", "service_providers", "PUT /identity/v3/OS-FEDERATION/service_providers/sp-$number", r#"{"service_provider": {"auth_url": "https://a.test/auth", "sp_url": "https://a.test/sp"}}"#, "/service_provider/id"),
    made_by("member", "members", "/image/v2/images/$images/members", r#"{"member": "$uuid"}"#, "/member_id"),
    made_by("cloud", "namespaces", "/image/v2/metadefs/namespaces", r#"{"namespace": "of-all-$number", "visibility": "public"}"#, "/namespace"),
    made_by("cloud", "objects", "/image/v2/metadefs/namespaces/$namespaces/objects", r#"{"name": "object-$number"}"#, "/name"),
    made_by("cloud", "properties", "/image/v2/metadefs/namespaces/$namespaces/properties", r#"{"name": "property-$number", "title": "One", "type": "string"}"#, "/name"),
    made_by("member", "images", "/image/v2/images", r#"{"name": "$name", "disk_format": "raw", "container_format": "bare"}"#, "/id"),
    Recipe {
        kind: "bootable", maker: "member", path: "/image/v2/images", id: "/id",
        body: r#"{"name": "$name", "disk_format": "raw", "container_format": "bare"}"#,
        then: &[("PUT", "/image/v2/images/$id/file", "the disk of a machine")],
    },
    made_by("member", "networks", "/network/v2.0/networks", r#"{"network": {"name": "$name"}}"#, "/network/id"),
    made_by("member", "subnets", "/network/v2.0/subnets", r#"{"subnet": {"name": "$name", "network_id": "$networks", "ip_version": 4, "cidr": "10.$octets.0/24"}}"#, "/subnet/id"),
    made_by("member", "ports", "/network/v2.0/ports", r#"{"port": {"name": "$name", "network_id": "$networks"}}"#, "/port/id"),
    made_by("member", "routers", "/network/v2.0/routers", r#"{"router": {"name": "$name"}}"#, "/router/id"),
    made_by("member", "address-groups", "/network/v2.0/address-groups", r#"{"address_group": {"name": "$name"}}"#, "/address_group/id"),
    made_by("member", "security-groups", "/network/v2.0/security-groups", r#"{"security_group": {"name": "$name"}}"#, "/security_group/id"),
    made_by("member", "security-group-rules", "/network/v2.0/security-group-rules", r#"{"security_group_rule": {"security_group_id": "$security-groups", "direction": "ingress", "protocol": "tcp", "port_range_min": $number, "port_range_max": $number}}"#, "/security_group_rule/id"),
    made_by("member", "subnetpools", "/network/v2.0/subnetpools", r#"{"subnetpool": {"name": "$name", "prefixes": ["10.0.0.0/8"]}}"#, "/subnetpool/id"),
    made_by("cloud", "outside", "/network/v2.0/networks", r#"{"network": {"name": "of-all-$number", "router:external": true}}"#, "/network/id"),
    made_by("cloud", "addresses", "/network/v2.0/subnets", r#"{"subnet": {"network_id": "$outside", "ip_version": 4, "cidr": "172.24.0.0/20"}}"#, "/subnet/id"),
    made_by("member", "floatingips", "/network/v2.0/floatingips", r#"{"floatingip": {"floating_network_id": "$outside", "description": "$name"}}"#, "/floatingip/id"),
    made_by("cloud", "flavors", "/compute/v2.1/flavors", r#"{"flavor": {"name": "of-all-$number", "ram": 64, "vcpus": 1, "disk": 1}}"#, "/flavor/id"),
    made_by("member", "servers", "/compute/v2.1/servers", r#"{"server": {"name": "$name", "flavorRef": "$flavors", "imageRef": "$bootable", "networks": [{"port": "$ports"}]}}"#, "/server/id"),
    made_by("member", "os-keypairs", "/compute/v2.1/os-keypairs", r#"{"keypair": {"name": "$name", "public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFyjmQB2SCuL7cvYjrl4fhlbNpfI8MknRUzL2/LmBLIc a"}}"#, "/keypair/name"),
    made_by("member", "volumes", "/volume/v3/volumes", r#"{"volume": {"name": "$name", "size": 1}}"#, "/volume/id"),
    made_by("cloud", "types", "/volume/v3/types", r#"{"volume_type": {"name": "of-all-$number"}}"#, "/volume_type/id"),
    made_by("cloud", "group_types", "/volume/v3/group_types", r#"{"group_type": {"name": "of-all-$number"}}"#, "/group_type/id"),
    made_by("member", "volume-groups", "/volume/v3/groups", r#"{"group": {"name": "$name", "group_type": "$group_types", "volume_types": ["__DEFAULT__"]}}"#, "/group/id"),
    made_by("cloud", "qos-specs", "/volume/v3/qos-specs", r#"{"qos_specs": {"name": "of-all-$number"}}"#, "/qos_specs/id"),
    made_by("member", "loadbalancers", "/load-balancer/v2.0/lbaas/loadbalancers", r#"{"loadbalancer": {"name": "$name", "vip_subnet_id": "$subnets"}}"#, "/loadbalancer/id"),
    made_by("member", "listeners", "/load-balancer/v2.0/lbaas/listeners", r#"{"listener": {"name": "$name", "loadbalancer_id": "$loadbalancers", "protocol": "TCP", "protocol_port": $number}}"#, "/listener/id"),
    made_by("member", "pools", "/load-balancer/v2.0/lbaas/pools", r#"{"pool": {"name": "$name", "loadbalancer_id": "$loadbalancers", "protocol": "TCP", "lb_algorithm": "SOURCE_IP_PORT"}}"#, "/pool/id"),
    made_by("member", "pool-members", "/load-balancer/v2.0/lbaas/pools/$pools/members", r#"{"member": {"name": "$name", "address": "10.9.$octets", "protocol_port": 80}}"#, "/member/id"),
    made_by("member", "healthmonitors", "/load-balancer/v2.0/lbaas/healthmonitors", r#"{"healthmonitor": {"name": "$name", "pool_id": "$pools", "type": "TCP", "delay": 5, "timeout": 2, "max_retries": 2}}"#, "/healthmonitor/id"),
    made_by("cloud", "resource_providers", "/placement/resource_providers", r#"{"name": "of-all-$number"}"#, "/uuid"),
];

/// Bodies of the routes that no rule below finds one for.
#[rustfmt::skip]
const BODIES: &[(&str, &str)] = &[
    ("POST /identity/v3/auth/tokens", r#"{"auth": {"identity": {"methods": ["token"], "token": {"id": "none"}}}}"#),
    ("POST /identity/v3/users/{user_id}/password", r#"{"user": {"original_password": "wrong", "password": "new enough"}}"#),
    ("PUT /network/v2.0/floatingips/{id}", r#"{"floatingip": {"description": "new"}}"#),
    ("PATCH /identity/v3/policies/{policy_id}", r#"{"policy": {"type": "text/plain"}}"#),
    ("PATCH /identity/v3/credentials/{credential_id}", r#"{"credential": {"blob": "$name"}}"#),
    ("PATCH /identity/v3/OS-OAUTH1/consumers/{consumer_id}", r#"{"consumer": {"description": "new"}}"#),
    ("PUT /identity/v3/domains/{domain_id}/config", r#"{"config": {"identity": {"driver": "sql"}}}"#),
    ("PATCH /identity/v3/domains/{domain_id}/config", r#"{"config": {"identity": {"driver": "sql"}}}"#),
    ("POST /identity/v3/limits", r#"{"limits": [{"service_id": "$services", "project_id": "$project", "resource_name": "unregistered", "resource_limit": 1}]}"#),
    ("PATCH /identity/v3/limits/{limit_id}", r#"{"limit": {"resource_limit": 2}}"#),
    ("PATCH /identity/v3/registered_limits/{registered_limit_id}", r#"{"registered_limit": {"default_limit": 2}}"#),
    ("PATCH /identity/v3/regions/{region_id}", r#"{"region": {"description": "new"}}"#),
    ("PATCH /image/v2/images/{id}", r#"[{"op": "replace", "path": "/name", "value": "new"}]"#),
    ("POST /image/v2/images/{id}/import", r#"{"method": {"name": "glance-direct"}}"#),
    ("POST /image/v2/images/{id}/locations", r#"{"url": "http://192.0.2.1/disk"}"#),
    ("PUT /image/v2/images/{id}/members/{member}", r#"{"status": "accepted"}"#),
    ("PUT /image/v2/metadefs/namespaces/{namespace}", r#"{"namespace": "$namespaces", "visibility": "public"}"#),
    ("PUT /image/v2/metadefs/namespaces/{namespace}/objects/{name}", r#"{"name": "$objects"}"#),
    ("PUT /image/v2/metadefs/namespaces/{namespace}/properties/{name}", r#"{"name": "$properties", "title": "One", "type": "string"}"#),
    ("PUT /image/v2/metadefs/namespaces/{namespace}/tags/{name}", r#"{"name": "red"}"#),
    ("POST /image/v2/metadefs/namespaces/{namespace}/tags", r#"{"tags": [{"name": "red"}]}"#),
    ("POST /image/v2/metadefs/namespaces/{namespace}/resource_types", r#"{"name": "OS::Nova::Server"}"#),
    ("PUT /network/v2.0/quotas/{project}", r#"{"quota": {"network": 50}}"#),
    ("PUT /network/v2.0/routers/{id}/add_router_interface", r#"{"subnet_id": "$subnets"}"#),
    ("PUT /network/v2.0/routers/{id}/remove_router_interface", r#"{"subnet_id": "$subnets"}"#),
    ("PUT /network/v2.0/routers/{id}/add_extraroutes", r#"{"router": {"routes": []}}"#),
    ("PUT /network/v2.0/routers/{id}/remove_extraroutes", r#"{"router": {"routes": []}}"#),
    ("PUT /network/v2.0/address-groups/{id}/add_addresses", r#"{"addresses": ["192.0.2.0/24"]}"#),
    ("PUT /network/v2.0/address-groups/{id}/remove_addresses", r#"{"addresses": []}"#),
    ("PUT /network/v2.0/subnetpools/{id}/add_prefixes", r#"{"prefixes": ["11.0.0.0/8"]}"#),
    ("PUT /network/v2.0/subnetpools/{id}/remove_prefixes", r#"{"prefixes": ["11.0.0.0/8"]}"#),
    ("PUT /compute/v2.1/servers/{id}/metadata", r#"{"metadata": {"a": "b"}}"#),
    ("POST /compute/v2.1/servers/{id}/metadata", r#"{"metadata": {"a": "b"}}"#),
    ("POST /compute/v2.1/servers/{id}/os-interface", r#"{"interfaceAttachment": {"net_id": "$networks"}}"#),
    ("POST /compute/v2.1/servers/{id}/os-volume_attachments", r#"{"volumeAttachment": {"volumeId": "$volumes"}}"#),
    ("PUT /compute/v2.1/servers/{id}/os-volume_attachments/{volume}", r#"{"volumeAttachment": {"volumeId": "$volumes"}}"#),
    ("PUT /compute/v2.1/servers/{id}/metadata/{key}", r#"{"meta": {"a": "b"}}"#),
    ("PUT /compute/v2.1/os-quota-sets/{project}", r#"{"quota_set": {"cores": 50}}"#),
    ("PUT /compute/v2.1/flavors/{id}", r#"{"flavor": {"description": "new"}}"#),
    ("POST /compute/v2.1/flavors/{id}/os-extra_specs", r#"{"extra_specs": {"a": "b"}}"#),
    ("PUT /compute/v2.1/flavors/{id}/os-extra_specs/{key}", r#"{"a": "b"}"#),
    ("PUT /volume/v3/volumes/{id}/metadata", r#"{"metadata": {"a": "b"}}"#),
    ("POST /volume/v3/volumes/{id}/metadata", r#"{"metadata": {"a": "b"}}"#),
    ("PUT /volume/v3/volumes/{id}/metadata/{key}", r#"{"meta": {"a": "b"}}"#),
    ("PUT /volume/v3/snapshots/{id}", r#"{"snapshot": {"name": "new"}}"#),
    ("POST /volume/v3/snapshots", r#"{"snapshot": {"volume_id": "$volumes"}}"#),
    ("PUT /volume/v3/snapshots/{id}/metadata", r#"{"metadata": {"a": "b"}}"#),
    ("POST /volume/v3/snapshots/{id}/metadata", r#"{"metadata": {"a": "b"}}"#),
    ("PUT /volume/v3/snapshots/{id}/metadata/{key}", r#"{"meta": {"a": "b"}}"#),
    ("POST /volume/v3/attachments", r#"{"attachment": {"volume_uuid": "$volumes"}}"#),
    ("PUT /volume/v3/attachments/{id}", r#"{"attachment": {"connector": {}}}"#),
    ("POST /volume/v3/os-volume-transfer", r#"{"transfer": {"volume_id": "$volumes"}}"#),
    ("POST /volume/v3/volume-transfers", r#"{"transfer": {"volume_id": "$volumes"}}"#),
    ("POST /volume/v3/os-volume-transfer/{id}/accept", r#"{"accept": {"auth_key": "none"}}"#),
    ("POST /volume/v3/volume-transfers/{id}/accept", r#"{"accept": {"auth_key": "none"}}"#),
    ("POST /volume/v3/types/{id}/extra_specs", r#"{"extra_specs": {"a": "b"}}"#),
    ("PUT /volume/v3/types/{id}/extra_specs/{key}", r#"{"a": "b"}"#),
    ("PUT /volume/v3/types/{id}", r#"{"volume_type": {"description": "new"}}"#),
    ("PUT /volume/v3/default-types/{project}", r#"{"default_type": {"volume_type": "__DEFAULT__"}}"#),
    ("POST /volume/v3/types/{id}/encryption", r#"{"encryption": {}}"#),
    ("PUT /volume/v3/types/{id}/encryption/{encryption}", r#"{"encryption": {}}"#),
    ("PUT /volume/v3/groups/{id}", r#"{"group": {"description": "new"}}"#),
    ("POST /volume/v3/group_snapshots", r#"{"group_snapshot": {"group_id": "$volume-groups"}}"#),
    ("PUT /volume/v3/group_snapshots/{id}", r#"{"group_snapshot": {"name": "new"}}"#),
    ("PUT /volume/v3/group_types/{id}", r#"{"group_type": {"description": "new"}}"#),
    ("POST /volume/v3/group_types/{id}/group_specs", r#"{"group_specs": {"a": "b"}}"#),
    ("PUT /volume/v3/group_types/{id}/group_specs/{key}", r#"{"a": "b"}"#),
    ("PUT /volume/v3/os-services/freeze", r#"{"host": "none"}"#),
    ("PUT /volume/v3/os-services/thaw", r#"{"host": "none"}"#),
    ("PUT /volume/v3/qos-specs/{id}", r#"{"qos_specs": {"a": "b"}}"#),
    ("PUT /volume/v3/qos-specs/{id}/delete_keys", r#"{"keys": []}"#),
    ("PUT /volume/v3/os-quota-sets/{project}", r#"{"quota_set": {"volumes": 50}}"#),
    ("PUT /volume/v3/os-quota-class-sets/{class}", r#"{"quota_class_set": {"backups": 10}}"#),
    ("PUT /volume/v3/os-services/enable", r#"{"host": "none", "binary": "cinder-volume"}"#),
    ("PUT /volume/v3/os-services/disable", r#"{"host": "none", "binary": "cinder-volume"}"#),
    ("PUT /volume/v3/os-services/disable-log-reason", r#"{"host": "none", "binary": "cinder-volume", "disabled_reason": "noise"}"#),
    // One that is read this far is let in, and takes no member away.
    ("PUT /load-balancer/v2.0/lbaas/pools/{pool}/members", r#"{"members": "none"}"#),
    ("PUT /load-balancer/v2.0/lbaas/quotas/{project}", r#"{"quota": {"pool": 200}}"#),
    ("addProjectAccess", r#"{"project": "$project"}"#),
    ("removeProjectAccess", r#"{"project": "$project"}"#),
    ("os-extend", r#"{"new_size": 2}"#),
    ("os-set_bootable", r#"{"bootable": true}"#),
    ("os-update_readonly_flag", r#"{"readonly": true}"#),
    ("os-reset_status", r#"{"status": "error"}"#),
    ("os-retype", r#"{"new_type": "none"}"#),
    ("create-from-src", r#"{"source_group_id": "$volume-groups"}"#),
    ("delete", r#"{"delete-volumes": false}"#),
    ("reset_status", r#"{"status": "error"}"#),
    ("os-volume_upload_image", r#"{"image_name": "canary"}"#),
    ("os-set_image_metadata", r#"{"metadata": {"a": "b"}}"#),
    ("os-unset_image_metadata", r#"{"key": "a"}"#),
    ("os-attach", r#"{"instance_uuid": "$uuid", "mountpoint": "/dev/vdb"}"#),
    ("os-initialize_connection", r#"{"connector": {}}"#),
    ("os-terminate_connection", r#"{"connector": {}}"#),
    ("os-force_detach", r#"{}"#),
    ("os-update_snapshot_status", r#"{"status": "available"}"#),
    ("addTenantAccess", r#"{"tenant": "$project"}"#),
    ("removeTenantAccess", r#"{"tenant": "$project"}"#),
    ("changePassword", r#"{"adminPass": "new enough"}"#),
    ("os-resetState", r#"{"state": "active"}"#),
    ("reboot", r#"{"type": "HARD"}"#),
    ("createImage", r#"{"name": "canary"}"#),
    ("rebuild", r#"{"imageRef": "$images"}"#),
    ("resize", r#"{"flavorRef": "m1.small"}"#),
    ("os-getConsoleOutput", r#"{"length": 5}"#),
    ("os-getVNCConsole", r#"{"type": "novnc"}"#),
    ("os-getSerialConsole", r#"{"type": "serial"}"#),
    ("os-getSPICEConsole", r#"{"type": "spice-html5"}"#),
    ("POST /compute/v2.1/servers/{id}/remote-consoles", r#"{"remote_console": {"protocol": "vnc", "type": "novnc"}}"#),
    ("PUT /placement/resource_providers/{uuid}", r#"{"name": "of-all-$number"}"#),
    ("PUT /placement/resource_providers/{uuid}/inventories", r#"{"resource_provider_generation": 0, "inventories": {}}"#),
    ("PUT /placement/resource_providers/{uuid}/traits", r#"{"resource_provider_generation": 0, "traits": []}"#),
    ("PUT /placement/allocations/{consumer}", r#"{"allocations": {}, "project_id": "$project", "user_id": "$member", "consumer_generation": null, "consumer_type": "INSTANCE"}"#),
];

/// What a part of a path means that is not one of the kinds above: after which literal it stands, and what is put there.
const WORDS: &[(&str, &str)] = &[
    ("websso", "openid"),
    ("tags", "red"),
    ("metadata", "a"),
    ("os-extra_specs", "a"),
    ("inventories", "VCPU"),
    ("ips", "any"),
    ("strays", "image-data:none"),
    ("os-instance-actions", "req-none"),
    ("extensions", "router"),
    ("traits", "CUSTOM_SWEPT"),
    ("resource_classes", "CUSTOM_SWEPT"),
    ("allocations", "00000000-0000-4000-8000-000000000001"),
    ("os-console-auth-tokens", "no-such-word"),
    ("os-hypervisors", "00000000-0000-4000-8000-000000000002"),
    ("os-services", "00000000-0000-4000-8000-000000000003"),
    ("agents", "00000000-0000-4000-8000-000000000004"),
    ("nodes", "00000000-0000-4000-8000-000000000005"),
    ("tasks", "00000000-0000-4000-8000-000000000006"),
    ("stores", "file"),
    ("resource_types", "OS::Nova::Server"),
    ("config", "ldap"),
    ("{group}", "url"),
    ("authorize", "none"),
    ("access_tokens", "none"),
    ("websso", "none"),
    ("security_compliance", "password_regex"),
    // Nothing converges here, so no volume is ever there of which one could be made.
    ("snapshots", "00000000-0000-4000-8000-000000000007"),
    ("attachments", "00000000-0000-4000-8000-000000000008"),
    ("group_snapshots", "00000000-0000-4000-8000-00000000000c"),
    ("group_specs", "a"),
    ("encryption", "none"),
    ("os-volume-transfer", "00000000-0000-4000-8000-000000000009"),
    ("volume-transfers", "00000000-0000-4000-8000-00000000000a"),
    ("messages", "00000000-0000-4000-8000-00000000000b"),
    ("extra_specs", "a"),
    ("os-quota-class-sets", "default"),
    ("default-types", "swept"),
    ("capabilities", "none"),
    ("os-hosts", "none"),
    ("providers", "ovn"),
];

/// Lists that are asked for the tenant's things by name: a filter is no way in.
const QUERIES: &[(&str, &str)] = &[
    ("/compute/v2.1/servers", "project_id=$project"),
    ("/compute/v2.1/servers/detail", "all_tenants=1&project_id=$project"),
    ("/compute/v2.1/os-keypairs", "user_id=$member"),
    ("/volume/v3/volumes", "project_id=$project"),
    ("/volume/v3/volumes/detail", "all_tenants=1&project_id=$project"),
    ("/volume/v3/snapshots", "all_tenants=1"),
    ("/volume/v3/groups", "all_tenants=1"),
    ("/load-balancer/v2.0/lbaas/loadbalancers", "project_id=$project"),
    ("/load-balancer/v2.0/lbaas/pools", "project_id=$project"),
    ("/compute/v2.1/limits", "tenant_id=$project"),
    ("/placement/usages", "project_id=$project"),
    ("/network/v2.0/networks", "project_id=$project"),
    ("/network/v2.0/ports", "project_id=$project"),
    ("/network/v2.0/routers", "project_id=$project"),
    ("/network/v2.0/security-groups", "project_id=$project"),
    ("/image/v2/images", "owner=$project"),
    ("/identity/v3/credentials", "user_id=$member"),
    ("/identity/v3/role_assignments", "user.id=$member"),
    ("/identity/v3/limits", "project_id=$project"),
    ("/identity/v3/users", "domain_id=default"),
    ("/identity/v3/groups", "domain_id=default"),
    ("/identity/v3/projects", "domain_id=default"),
];

pub struct Request {
    pub path: String,
    pub body: Value,
    pub headers: Vec<(&'static str, String)>,
}

pub async fn request(things: &mut Things<'_>, swept: &Swept, subject: &str) -> Request {
    if let Some(below) = swept.path.strip_prefix("/object-store/v1/") {
        return object_request(things, below, swept).await;
    }
    let mut headers = vec![];
    if swept.path.ends_with("/auth/tokens") && swept.method != Method::POST {
        headers.push(("x-subject-token", subject.to_owned()));
    }
    let path = path(things, swept).await;
    let body = match body(swept) {
        Some(text) => things.document(&text, "swept").await,
        None => Value::Null,
    };
    let body = if path.ends_with("/file") || path.ends_with("/stage") {
        Value::String("the disk of a machine".to_owned())
    } else {
        body
    };
    let query = QUERIES.iter().find(|(list, _)| swept.method == Method::GET && *list == swept.path);
    let path = match query {
        Some((_, query)) => format!("{path}?{}", things.fill(query, "swept").await),
        None => path,
    };
    Request { path, body, headers }
}

/// A container of the tenant, with an object in it unless it shall go.
async fn object_request(things: &mut Things<'_>, below: &str, swept: &Swept) -> Request {
    let length = vec![("content-length", "0".to_owned())];
    let goes = swept.method == Method::DELETE && !below.contains("{*object}");
    let (account, container) = (format!("/object-store/v1/AUTH_{}", things.callers().project), format!("{CANARY}-{goes}"));
    let mut made = vec![format!("{account}/{container}")];
    if !goes {
        made.push(format!("{account}/{container}/{CANARY}"));
    }
    for path in &made {
        let said = things.talk("PUT", path, "member", Value::Null, &length).await;
        assert!(said.status < 300, "PUT {path}: {} {}", said.status, said.body);
    }
    let path = match below.matches('/').count() {
        0 if swept.method == Method::PUT => format!("{account}?extract-archive=tar"),
        0 => account,
        1 => format!("{account}/{container}"),
        _ => format!("{account}/{container}/{CANARY}"),
    };
    let headers = match swept.method.as_str() {
        "COPY" => vec![("destination", format!("{container}/{CANARY}-copy"))],
        _ => length,
    };
    Request { path, body: Value::Null, headers }
}

/// The path with a real thing of the tenant in each of its places.
async fn path(things: &mut Things<'_>, swept: &Swept) -> String {
    let parts: Vec<&str> = swept.path.split('/').collect();
    let mut path = vec![];
    for (i, part) in parts.iter().enumerate() {
        if !part.starts_with('{') {
            path.push((*part).to_owned());
            continue;
        }
        let before = match parts[i - 1] {
            // Images have members, too.
            "members" if swept.path.starts_with("/load-balancer/") => "pool-members",
            before => before,
        };
        let is_last = i == parts.len() - 1;
        let callers = things.callers();
        let found = match before {
            // His own, where things are kept below a user or a project.
            "users" if !is_last && !swept.path.contains("/roles") => callers.member.clone(),
            "os-quota-sets" | "quotas" => callers.project.clone(),
            "projects" if !is_last => callers.project.clone(),
            "{store}" | "cache" => things.one("images").await,
            "network-ip-availabilities" => things.one("networks").await,
            "os-interface" => things.one("ports").await,
            "os-volume_attachments" => things.one("volumes").await,
            "groups" if swept.path.starts_with("/volume/") => thing(things, "volume-groups", swept, is_last).await,
            _ => match WORDS.iter().find(|(literal, _)| *literal == before) {
                Some((_, word)) => (*word).to_owned(),
                None => thing(things, before, swept, is_last).await,
            },
        };
        path.push(found);
    }
    path.join("/")
}

async fn thing(things: &mut Things<'_>, literal: &str, swept: &Swept, is_last: bool) -> String {
    let Some(Recipe { kind, .. }) = RECIPES.iter().find(|recipe| recipe.kind == literal) else {
        things.failed.push(format!("{}: tell recipes.rs what stands after «{literal}»", swept.key));
        return "none".to_owned();
    };
    // What others lean on must be there first.
    match *kind {
        "limits" => _ = things.one("the-registered").await,
        "floatingips" => _ = things.one("addresses").await,
        "servers" => _ = things.one("subnets").await,
        _ => {}
    }
    let destroys = swept.method == Method::DELETE && is_last && !is_a_relation(&swept.path)
        || matches!(swept.action, Some("forceDelete" | "os-force_delete" | "delete"));
    if destroys { things.one_to_lose(kind).await } else { things.one(kind).await }
}

fn body(swept: &Swept) -> Option<String> {
    if matches!(swept.method, Method::GET | Method::HEAD | Method::DELETE) {
        return None;
    }
    if let Some(action) = swept.action {
        let arguments = BODIES.iter().find(|(name, _)| *name == action).map_or("null", |(_, body)| *body);
        return Some(format!("{{\"{action}\": {arguments}}}"));
    }
    // Octavia's clients write its version in two ways.
    let path = swept.path.replace("/load-balancer/v2/", "/load-balancer/v2.0/");
    let route = format!("{} {path}", swept.method);
    if let Some((_, body)) = BODIES.iter().find(|(name, _)| *name == route) {
        return Some((*body).to_owned());
    }
    if path.ends_with("/tags") {
        return Some(r#"{"tags": ["red"]}"#.to_owned());
    }
    let of_collection = |path: &str| RECIPES.iter().find(|recipe| same_place(path, recipe.path));
    if swept.method == Method::POST {
        return Some(of_collection(&path).map_or("{}", |recipe| recipe.body).to_owned());
    }
    if let Some(recipe) = RECIPES.iter().find(|recipe| recipe.path.strip_prefix("PUT ").is_some_and(|own| same_place(&path, own)))
    {
        return Some(recipe.body.to_owned());
    }
    // A new name, in the envelope in which the thing was made.
    let collection = path.rsplit_once("/{").map(|(collection, _)| collection).and_then(of_collection);
    let envelope = collection.and_then(|recipe| recipe.body.split('"').nth(1));
    Some(match envelope {
        Some(one) => json!({ one: {"name": "$name"} }).to_string(),
        None => "{}".to_owned(),
    })
}

/// The same path but for what stands in its places.
fn same_place(path: &str, other: &str) -> bool {
    let bare = |path: &str| -> Vec<String> {
        let is_place = |part: &str| part.starts_with('{') || part.contains('$');
        path.split('/').map(|part| if is_place(part) { "*".to_owned() } else { part.to_owned() }).collect()
    };
    bare(path) == bare(other)
}

/// Whether the last part of a path says that two things belong together, so that PUT makes it and DELETE ends it.
pub fn is_a_relation(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let literal = parts.get(parts.len().wrapping_sub(2)).copied().unwrap_or_default();
    path.ends_with("/inherited_to_projects")
        || matches!(literal, "tags" | "implies")
        || (literal == "roles" && path.matches('/').count() > 4)
        || (literal == "users" && path.contains("/groups/"))
        || path.contains("/OS-ENDPOINT-POLICY/")
        || (path.contains("/OS-EP-FILTER/") && path.contains("/projects/"))
}

pub fn content_type(method: &str, path: &str) -> &'static str {
    match (method, path.starts_with("/image/")) {
        ("PATCH", true) => "application/openstack-images-v2.1-json-patch",
        ("PUT", true) if path.ends_with("/file") || path.ends_with("/stage") => "application/octet-stream",
        _ => "application/json",
    }
}

/// The versions in which things are made.
pub fn headers_of(path: &str) -> Vec<(&'static str, String)> {
    match path.split('/').nth(1) {
        Some("volume") => vec![("openstack-api-version", "volume 3.71".to_owned())],
        Some("placement") => vec![("openstack-api-version", "placement 1.20".to_owned())],
        _ => vec![],
    }
}
