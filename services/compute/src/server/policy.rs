// SPDX-License-Identifier: Apache-2.0
//! Who may do what here by default.

use crate::policy::{ADMIN, MEMBER, READER};

access::policies! {
    INDEX = "os_compute_api:servers:index", READER, "List the servers of the own project.";
    DETAIL = "os_compute_api:servers:detail", READER, "List the servers of the own project with details.";
    INDEX_ALL = "os_compute_api:servers:index:get_all_tenants", ADMIN, "List the servers of all projects.";
    DETAIL_ALL = "os_compute_api:servers:detail:get_all_tenants", ADMIN, "List the servers of all projects with details.";
    ALL_FILTERS = "os_compute_api:servers:allow_all_filters", ADMIN, "Use every filter in lists of servers, such as host.";
    SHOW = "os_compute_api:servers:show", READER, "Show a server.";
    SHOW_EXTRA_SPECS = "os_compute_api:servers:show:flavor-extra-specs", READER, "See the flavor's extra specs in a server.";
    SHOW_HOST_STATUS = "os_compute_api:servers:show:host_status", ADMIN, "See the status of a server's host.";
    CREATE = "os_compute_api:servers:create", MEMBER, "Create servers.";
    CREATE_FORCED_HOST = "os_compute_api:servers:create:forced_host", ADMIN, "Create a server on a chosen host without filters.";
    CREATE_ON_HOST = "compute:servers:create:requested_destination", ADMIN, "Create a server on a chosen host.";
    UPDATE = "os_compute_api:servers:update", MEMBER, "Update a server.";
    DELETE = "os_compute_api:servers:delete", MEMBER, "Delete a server.";
    FORCE_DELETE = "os_compute_api:os-deferred-delete:force", MEMBER, "Delete a server at once.";
    START = "os_compute_api:servers:start", MEMBER, "Start a server.";
    STOP = "os_compute_api:servers:stop", MEMBER, "Stop a server.";
    REBOOT = "os_compute_api:servers:reboot", MEMBER, "Reboot a server.";
    PAUSE = "os_compute_api:os-pause-server:pause", MEMBER, "Pause a server.";
    UNPAUSE = "os_compute_api:os-pause-server:unpause", MEMBER, "Let a paused server go on.";
    REBUILD = "os_compute_api:servers:rebuild", MEMBER, "Make a server's disk anew of an image.";
    RESCUE = "os_compute_api:os-rescue", MEMBER, "Boot a server from another image, to repair it.";
    UNRESCUE = "os_compute_api:os-unrescue", MEMBER, "Boot a rescued server from its own disk again.";
    RESIZE = "os_compute_api:servers:resize", MEMBER, "Give a server another flavor.";
    CONFIRM_RESIZE = "os_compute_api:servers:confirm_resize", MEMBER, "Keep the new flavor of a server.";
    REVERT_RESIZE = "os_compute_api:servers:revert_resize", MEMBER, "Go back to the old flavor of a server.";
    MIGRATE = "os_compute_api:os-migrate-server:migrate", ADMIN, "Move a server to another host, switched off meanwhile.";
    MIGRATE_HOST = "os_compute_api:os-migrate-server:migrate:host", ADMIN, "Choose the host to which a server moves.";
    CREATE_IMAGE = "os_compute_api:servers:create_image", MEMBER, "Make an image of a server's disk.";
    RESET_STATE = "os_compute_api:os-admin-actions:reset_state", ADMIN, "Set the state of a server.";
    LOCK = "os_compute_api:os-lock-server:lock", MEMBER, "Lock a server.";
    UNLOCK = "os_compute_api:os-lock-server:unlock", MEMBER, "Unlock a server.";
    UNLOCK_OVERRIDE = "os_compute_api:os-lock-server:unlock:unlock_override", ADMIN, "Unlock a server that another locked, or act on it.";
    REMOTE_CONSOLES = "os_compute_api:os-remote-consoles", MEMBER, "Open a server's screen and serial line.";
    CONSOLE_AUTH_TOKENS = "os_compute_api:os-console-auth-tokens", ADMIN, "Show what a console token is for.";
    CONSOLE_OUTPUT = "os_compute_api:os-console-output", MEMBER, "Read the console of a server.";
    PASSWORD = "os_compute_api:os-admin-password", MEMBER, "Change the password in a server.";
    GUEST_PASSWORD_SHOW = "os_compute_api:os-server-password:show", READER, "Read the password that a guest made, encrypted by it.";
    GUEST_PASSWORD_CLEAR = "os_compute_api:os-server-password:clear", MEMBER, "Forget the password that a guest made.";
    EXTENDED = "os_compute_api:os-extended-server-attributes", ADMIN, "See on which host and under which name a server runs.";
    METADATA_INDEX = "os_compute_api:server-metadata:index", READER, "List the metadata of a server.";
    METADATA_SHOW = "os_compute_api:server-metadata:show", READER, "Show an item of a server's metadata.";
    METADATA_CREATE = "os_compute_api:server-metadata:create", MEMBER, "Add items to a server's metadata.";
    METADATA_UPDATE_ALL = "os_compute_api:server-metadata:update_all", MEMBER, "Replace a server's metadata.";
    METADATA_UPDATE = "os_compute_api:server-metadata:update", MEMBER, "Set an item of a server's metadata.";
    METADATA_DELETE = "os_compute_api:server-metadata:delete", MEMBER, "Delete an item of a server's metadata.";
    TAGS_INDEX = "os_compute_api:os-server-tags:index", READER, "List the tags of a server.";
    TAGS_SHOW = "os_compute_api:os-server-tags:show", READER, "Look whether a server has a tag.";
    TAGS_UPDATE = "os_compute_api:os-server-tags:update", MEMBER, "Add a tag to a server.";
    TAGS_UPDATE_ALL = "os_compute_api:os-server-tags:update_all", MEMBER, "Replace the tags of a server.";
    TAGS_DELETE = "os_compute_api:os-server-tags:delete", MEMBER, "Delete a tag of a server.";
    TAGS_DELETE_ALL = "os_compute_api:os-server-tags:delete_all", MEMBER, "Delete all tags of a server.";
    IPS_INDEX = "os_compute_api:ips:index", READER, "List the addresses of a server.";
    IPS_SHOW = "os_compute_api:ips:show", READER, "Show the addresses of a server in one network.";
    INTERFACES_LIST = "os_compute_api:os-attach-interfaces:list", READER, "List the interfaces of a server.";
    INTERFACES_SHOW = "os_compute_api:os-attach-interfaces:show", READER, "Show an interface of a server.";
    INTERFACES_CREATE = "os_compute_api:os-attach-interfaces:create", MEMBER, "Attach an interface to a server.";
    INTERFACES_DELETE = "os_compute_api:os-attach-interfaces:delete", MEMBER, "Detach an interface from a server.";
    VOLUMES_INDEX = "os_compute_api:os-volumes-attachments:index", READER, "List the volumes of a server.";
    VOLUMES_SHOW = "os_compute_api:os-volumes-attachments:show", READER, "Show a volume of a server.";
    VOLUMES_CREATE = "os_compute_api:os-volumes-attachments:create", MEMBER, "Attach a volume to a server.";
    VOLUMES_UPDATE = "os_compute_api:os-volumes-attachments:update", MEMBER, "Say whether a volume goes with its server.";
    VOLUMES_DELETE = "os_compute_api:os-volumes-attachments:delete", MEMBER, "Detach a volume from a server.";
}
