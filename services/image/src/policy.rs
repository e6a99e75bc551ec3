// SPDX-License-Identifier: Apache-2.0
//! Glance's policies with its current defaults.

const READER: &str = "rule:context_is_admin or (role:reader and project_id:%(project_id)s)";
const MEMBER: &str = "rule:context_is_admin or (role:member and project_id:%(project_id)s)";
const SERVICE_OR_MEMBER: &str = "rule:context_is_admin or rule:service_role or (role:member and project_id:%(project_id)s)";
const ADMIN: &str = "rule:context_is_admin";
const METADEF_READER: &str = "rule:context_is_admin or role:reader";

access::policies! {
    LIST = "get_images", READER, "List images";
    SHOW = "get_image", READER, "Show an image";
    ADD = "add_image", MEMBER, "Create an image";
    MODIFY = "modify_image", MEMBER, "Change an image";
    DELETE = "delete_image", MEMBER, "Delete an image";
    PUBLICIZE = "publicize_image", ADMIN, "Make an image public";
    COMMUNITIZE = "communitize_image", MEMBER, "Make an image a community image";
    UPLOAD = "upload_image", MEMBER, "Upload the data of an image";
    DOWNLOAD = "download_image", MEMBER, "Download the data of an image";
    STAGE = "stage_image", MEMBER, "Stage the data of an image for its import";
    IMPORT = "import_image", MEMBER, "Import the data of an image";
    COPY = "copy_image", ADMIN, "Copy an image's data to further stores";
    DEACTIVATE = "deactivate", MEMBER, "Take an image out of use";
    REACTIVATE = "reactivate", MEMBER, "Put an image in use again";
    DOWNLOAD_DEACTIVATED = "download_deactivated_image", ADMIN, "Download the data of a deactivated image";
    DELETE_FROM_STORE = "delete_image_location", ADMIN, "Delete an image's data from one store, or a location";
    SHOW_LOCATIONS = "get_image_location", READER, "See the locations of an image";
    SET_LOCATION = "set_image_location", MEMBER, "Set the locations of an image";
    ADD_LOCATION = "add_image_location", SERVICE_OR_MEMBER, "Give an image its data by a URL";
    GET_LOCATION = "fetch_image_location", "rule:context_is_admin or rule:service_role", "Show where an image's data lies";
    MEMBERS = "get_members", READER, "List the members of an image";
    MEMBER_SHOW = "get_member", READER, "Show a member of an image";
    MEMBER_ADD = "add_member", MEMBER, "Share an image with a project";
    MEMBER_MODIFY = "modify_member", MEMBER, "Accept or reject an image";
    MEMBER_DELETE = "delete_member", MEMBER, "Share an image with a project no longer";
    TASKS_OF_IMAGE = "get_image_tasks", READER, "List the tasks of an image";
    TASKS = "tasks_api_access", ADMIN, "List, show and create tasks";
    STORES_DETAIL = "stores_info_detail", ADMIN, "Show the stores in detail";
    CACHE_LIST = "cache_list", ADMIN, "List cached images";
    CACHE_IMAGE = "cache_image", ADMIN, "Cache an image";
    CACHE_DELETE = "cache_delete", ADMIN, "Delete images from the cache";
    METADEF_GET = "get_metadef_namespace", METADEF_READER, "Show metadata definitions";
    METADEF_MODIFY = "modify_metadef_namespace", ADMIN, "Change metadata definitions";
}
