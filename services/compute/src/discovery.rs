// SPDX-License-Identifier: Apache-2.0
//! The version documents, by which clients find out what they may ask for; and `/extensions`, by which older ones did.

use std::sync::Arc;

use api::{Access, Cx, Fault, Reply, Routes};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{Compute, policy::ANY, versions::MICROVERSIONS};

access::policies! {
    LIST_EXTENSIONS = "os_compute_api:extensions", ANY, "List the extensions of the API.";
}

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("discovery", routes);

pub(crate) fn routes() -> Routes<Compute> {
    Routes::new()
        .get("/", Access::Public, list)
        .get("/v2.1", Access::Public, show)
        .get("/v2.1/extensions", &LIST_EXTENSIONS, extensions)
        .get("/v2.1/extensions/{alias}", &LIST_EXTENSIONS, extension)
}

async fn list(_room: Arc<Compute>, cx: Cx) -> Reply {
    api::json(StatusCode::OK, &json!({"versions": [document(&cx)]}))
}

async fn show(_room: Arc<Compute>, cx: Cx) -> Reply {
    let mut document = document(&cx);
    document["media-types"] = json!([{
        "base": "application/json",
        "type": "application/vnd.openstack.compute+json;version=2.1",
    }]);
    api::json(StatusCode::OK, &json!({"version": document}))
}

fn document(cx: &Cx) -> Value {
    json!({
        "id": "v2.1",
        "status": "CURRENT",
        "version": MICROVERSIONS.max.to_string(),
        "min_version": MICROVERSIONS.min.to_string(),
        "updated": "2013-07-23T11:33:21Z",
        "links": [{"rel": "self", "href": cx.url("/v2.1/")}],
    })
}

/// What of Nova's former extensions is here.
const EXTENSIONS: &[(&str, &str, &str)] = &[
    ("AdminActions", "os-admin-actions", "Actions of the operator on servers, such as os-resetState."),
    ("AttachInterfaces", "os-attach-interfaces", "Shows the interfaces of a server, attaches and detaches them."),
    ("AvailabilityZone", "os-availability-zone", "Lists availability zones."),
    ("ConsoleOutput", "os-console-output", "Reads the console of a server."),
    ("ConfigDrive", "os-config-drive", "Config drive for servers."),
    ("ExtendedServerAttributes", "OS-EXT-SRV-ATTR", "Where a server runs, for the operator."),
    ("ExtendedStatus", "OS-EXT-STS", "More of a server's state."),
    ("ExtendedVolumes", "os-extended-volumes", "The volumes of a server."),
    ("FlavorAccess", "os-flavor-access", "Flavors for some projects only."),
    ("FlavorExtraSpecs", "os-flavor-extra-specs", "Extra specs of flavors."),
    ("FlavorManage", "os-flavor-manage", "Makes and deletes flavors."),
    ("Hypervisors", "os-hypervisors", "The hosts."),
    ("InstanceActions", "os-instance-actions", "What was done to a server."),
    ("Keypairs", "os-keypairs", "Keypairs of users."),
    ("LockServer", "os-lock-server", "Locks servers."),
    ("Quotas", "os-quota-sets", "Quotas of projects."),
    ("ServerUsage", "OS-SRV-USG", "When a server was launched and ended."),
    ("Services", "os-services", "The services of hosts."),
    ("UserData", "os-user-data", "User data for servers."),
];

async fn extensions(_room: Arc<Compute>, _cx: Cx) -> Reply {
    let views: Vec<Value> = EXTENSIONS.iter().map(extension_view).collect();
    api::json(StatusCode::OK, &json!({"extensions": views}))
}

async fn extension(_room: Arc<Compute>, cx: Cx) -> Reply {
    let found = EXTENSIONS.iter().find(|(_, alias, _)| *alias == cx.param("alias"));
    let found = found.ok_or_else(|| Fault::not_found("The resource could not be found."))?;
    api::json(StatusCode::OK, &json!({"extension": extension_view(found)}))
}

fn extension_view((name, alias, description): &(&str, &str, &str)) -> Value {
    json!({
        "name": name,
        "alias": alias,
        "description": description,
        "namespace": format!("http://docs.openstack.org/compute/ext/{alias}/api/v2"),
        "updated": "2014-12-03T00:00:00Z",
        "links": [],
    })
}
