// SPDX-License-Identifier: Apache-2.0
//! Who may do what by default: Nova's names, and its defaults of the "secure RBAC" releases.

use access::Policy;

/// The named rules that these defaults use are all shared ones.
pub const RULES: &[(&str, &str)] = &[];

const ADMIN: &str = "rule:context_is_admin";
const READER: &str = "rule:project_reader_or_admin";
const MEMBER: &str = "rule:project_member_or_admin";
const ANY: &str = "@";
const OWN_USER: &str = "rule:context_is_admin or user_id:%(user_id)s";

macro_rules! policies {
    ($($name:ident = $path:literal, $check:expr, $about:literal;)+) => {
        $(pub(crate) static $name: Policy = Policy::new($path, $check, $about);)+

        /// All of them, for the enforcer.
        pub static POLICIES: &[&Policy] = &[$(&$name),+];
    };
}

policies! {
    SERVER_INDEX = "os_compute_api:servers:index", READER, "List the servers of the own project.";
    SERVER_DETAIL = "os_compute_api:servers:detail", READER, "List the servers of the own project with details.";
    SERVER_INDEX_ALL = "os_compute_api:servers:index:get_all_tenants", ADMIN, "List the servers of all projects.";
    SERVER_DETAIL_ALL = "os_compute_api:servers:detail:get_all_tenants", ADMIN, "List the servers of all projects with details.";
    SERVER_ALL_FILTERS = "os_compute_api:servers:allow_all_filters", ADMIN, "Use every filter in lists of servers, such as host.";
    SERVER_SHOW = "os_compute_api:servers:show", READER, "Show a server.";
    SERVER_SHOW_EXTRA_SPECS = "os_compute_api:servers:show:flavor-extra-specs", READER, "See the flavor's extra specs in a server.";
    SERVER_SHOW_HOST_STATUS = "os_compute_api:servers:show:host_status", ADMIN, "See the status of a server's host.";
    SERVER_CREATE = "os_compute_api:servers:create", MEMBER, "Create servers.";
    SERVER_CREATE_FORCED_HOST = "os_compute_api:servers:create:forced_host", ADMIN, "Create a server on a chosen host without filters.";
    SERVER_CREATE_ON_HOST = "compute:servers:create:requested_destination", ADMIN, "Create a server on a chosen host.";
    SERVER_UPDATE = "os_compute_api:servers:update", MEMBER, "Update a server.";
    SERVER_DELETE = "os_compute_api:servers:delete", MEMBER, "Delete a server.";
    SERVER_FORCE_DELETE = "os_compute_api:os-deferred-delete:force", MEMBER, "Delete a server at once.";
    SERVER_START = "os_compute_api:servers:start", MEMBER, "Start a server.";
    SERVER_STOP = "os_compute_api:servers:stop", MEMBER, "Stop a server.";
    SERVER_REBOOT = "os_compute_api:servers:reboot", MEMBER, "Reboot a server.";
    SERVER_CREATE_IMAGE = "os_compute_api:servers:create_image", MEMBER, "Make an image of a server's disk.";
    SERVER_RESET_STATE = "os_compute_api:os-admin-actions:reset_state", ADMIN, "Set the state of a server.";
    SERVER_LOCK = "os_compute_api:os-lock-server:lock", MEMBER, "Lock a server.";
    SERVER_UNLOCK = "os_compute_api:os-lock-server:unlock", MEMBER, "Unlock a server.";
    SERVER_UNLOCK_OVERRIDE = "os_compute_api:os-lock-server:unlock:unlock_override", ADMIN, "Unlock a server that another locked, or act on it.";
    SERVER_CONSOLE_OUTPUT = "os_compute_api:os-console-output", MEMBER, "Read the console of a server.";
    SERVER_PASSWORD = "os_compute_api:os-admin-password", MEMBER, "Change the password in a server.";
    GUEST_PASSWORD_SHOW = "os_compute_api:os-server-password:show", READER, "Read the password that a guest made, encrypted by it.";
    GUEST_PASSWORD_CLEAR = "os_compute_api:os-server-password:clear", MEMBER, "Forget the password that a guest made.";
    SERVER_EXTENDED = "os_compute_api:os-extended-server-attributes", ADMIN, "See on which host and under which name a server runs.";
    SERVER_METADATA_INDEX = "os_compute_api:server-metadata:index", READER, "List the metadata of a server.";
    SERVER_METADATA_SHOW = "os_compute_api:server-metadata:show", READER, "Show an item of a server's metadata.";
    SERVER_METADATA_CREATE = "os_compute_api:server-metadata:create", MEMBER, "Add items to a server's metadata.";
    SERVER_METADATA_UPDATE_ALL = "os_compute_api:server-metadata:update_all", MEMBER, "Replace a server's metadata.";
    SERVER_METADATA_UPDATE = "os_compute_api:server-metadata:update", MEMBER, "Set an item of a server's metadata.";
    SERVER_METADATA_DELETE = "os_compute_api:server-metadata:delete", MEMBER, "Delete an item of a server's metadata.";
    SERVER_TAGS_INDEX = "os_compute_api:os-server-tags:index", READER, "List the tags of a server.";
    SERVER_TAGS_SHOW = "os_compute_api:os-server-tags:show", READER, "Look whether a server has a tag.";
    SERVER_TAGS_UPDATE = "os_compute_api:os-server-tags:update", MEMBER, "Add a tag to a server.";
    SERVER_TAGS_UPDATE_ALL = "os_compute_api:os-server-tags:update_all", MEMBER, "Replace the tags of a server.";
    SERVER_TAGS_DELETE = "os_compute_api:os-server-tags:delete", MEMBER, "Delete a tag of a server.";
    SERVER_TAGS_DELETE_ALL = "os_compute_api:os-server-tags:delete_all", MEMBER, "Delete all tags of a server.";
    SERVER_IPS_INDEX = "os_compute_api:ips:index", READER, "List the addresses of a server.";
    SERVER_IPS_SHOW = "os_compute_api:ips:show", READER, "Show the addresses of a server in one network.";
    SERVER_INTERFACES_LIST = "os_compute_api:os-attach-interfaces:list", READER, "List the interfaces of a server.";
    SERVER_INTERFACES_SHOW = "os_compute_api:os-attach-interfaces:show", READER, "Show an interface of a server.";
    SERVER_VOLUMES_INDEX = "os_compute_api:os-volumes-attachments:index", READER, "List the volumes of a server.";
    ACTION_LIST = "os_compute_api:os-instance-actions:list", READER, "List what was done to a server.";
    ACTION_SHOW = "os_compute_api:os-instance-actions:show", READER, "Show one thing that was done to a server.";
    ACTION_EVENTS = "os_compute_api:os-instance-actions:events", ADMIN, "See the events of an action with traceback and host.";
    ACTION_EVENTS_DETAILS = "os_compute_api:os-instance-actions:events:details", ADMIN, "See the details of the events of an action.";
    FLAVOR_CREATE = "os_compute_api:os-flavor-manage:create", ADMIN, "Create a flavor.";
    FLAVOR_UPDATE = "os_compute_api:os-flavor-manage:update", ADMIN, "Update a flavor.";
    FLAVOR_DELETE = "os_compute_api:os-flavor-manage:delete", ADMIN, "Delete a flavor.";
    FLAVOR_ACCESS = "os_compute_api:os-flavor-access", ADMIN, "See who may use a flavor that is not public.";
    FLAVOR_ACCESS_ADD = "os_compute_api:os-flavor-access:add_tenant_access", ADMIN, "Let a project use a flavor that is not public.";
    FLAVOR_ACCESS_REMOVE = "os_compute_api:os-flavor-access:remove_tenant_access", ADMIN, "Take a flavor from a project.";
    EXTRA_SPECS_INDEX = "os_compute_api:os-flavor-extra-specs:index", READER, "List the extra specs of a flavor.";
    EXTRA_SPECS_SHOW = "os_compute_api:os-flavor-extra-specs:show", READER, "Show an extra spec of a flavor.";
    EXTRA_SPECS_CREATE = "os_compute_api:os-flavor-extra-specs:create", ADMIN, "Add extra specs to a flavor.";
    EXTRA_SPECS_UPDATE = "os_compute_api:os-flavor-extra-specs:update", ADMIN, "Set an extra spec of a flavor.";
    EXTRA_SPECS_DELETE = "os_compute_api:os-flavor-extra-specs:delete", ADMIN, "Delete an extra spec of a flavor.";
    KEYPAIR_INDEX = "os_compute_api:os-keypairs:index", OWN_USER, "List keypairs.";
    KEYPAIR_SHOW = "os_compute_api:os-keypairs:show", OWN_USER, "Show a keypair.";
    KEYPAIR_CREATE = "os_compute_api:os-keypairs:create", OWN_USER, "Import or create a keypair.";
    KEYPAIR_DELETE = "os_compute_api:os-keypairs:delete", OWN_USER, "Delete a keypair.";
    HYPERVISOR_LIST = "os_compute_api:os-hypervisors:list", ADMIN, "List hypervisors.";
    HYPERVISOR_DETAIL = "os_compute_api:os-hypervisors:list-detail", ADMIN, "List hypervisors with details.";
    HYPERVISOR_SHOW = "os_compute_api:os-hypervisors:show", ADMIN, "Show a hypervisor.";
    HYPERVISOR_STATISTICS = "os_compute_api:os-hypervisors:statistics", ADMIN, "Show the sums over all hypervisors.";
    HYPERVISOR_UPTIME = "os_compute_api:os-hypervisors:uptime", ADMIN, "Show the uptime of a hypervisor.";
    HYPERVISOR_SEARCH = "os_compute_api:os-hypervisors:search", ADMIN, "Search hypervisors by name.";
    HYPERVISOR_SERVERS = "os_compute_api:os-hypervisors:servers", ADMIN, "List the servers on hypervisors.";
    SERVICE_LIST = "os_compute_api:os-services:list", ADMIN, "List compute services.";
    SERVICE_UPDATE = "os_compute_api:os-services:update", ADMIN, "Enable or disable a compute service.";
    ZONE_LIST = "os_compute_api:os-availability-zone:list", ANY, "List availability zones.";
    ZONE_DETAIL = "os_compute_api:os-availability-zone:detail", ADMIN, "List availability zones with their hosts.";
    LIMITS = "os_compute_api:limits", ANY, "Show the limits of the own project.";
    LIMITS_OTHER = "os_compute_api:limits:other_project", ADMIN, "Show the limits of any project.";
    QUOTA_SHOW = "os_compute_api:os-quota-sets:show", READER, "Show quotas.";
    QUOTA_DETAIL = "os_compute_api:os-quota-sets:detail", READER, "Show quotas with what is used of them.";
    QUOTA_DEFAULTS = "os_compute_api:os-quota-sets:defaults", ANY, "Show the default quotas.";
    QUOTA_UPDATE = "os_compute_api:os-quota-sets:update", ADMIN, "Set quotas.";
    QUOTA_DELETE = "os_compute_api:os-quota-sets:delete", ADMIN, "Set quotas back to the defaults.";
    EXTENSIONS = "os_compute_api:extensions", ANY, "List the extensions of the API.";
}
