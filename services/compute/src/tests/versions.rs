// SPDX-License-Identifier: Apache-2.0
//! What each microversion shows. The attributes are those of Nova's own samples of that version.

use api::Attribute;
use serde_json::{Value, json};

use super::{Cloud, IMAGE, server};

const FROM_THE_FIRST: &[&str] = &[
    "accessIPv4",
    "accessIPv6",
    "addresses",
    "created",
    "flavor",
    "hostId",
    "id",
    "image",
    "key_name",
    "links",
    "metadata",
    "name",
    "config_drive",
    "OS-DCF:diskConfig",
    "OS-EXT-AZ:availability_zone",
    "OS-EXT-STS:power_state",
    "OS-EXT-STS:task_state",
    "OS-EXT-STS:vm_state",
    "os-extended-volumes:volumes_attached",
    "OS-SRV-USG:launched_at",
    "OS-SRV-USG:terminated_at",
    "progress",
    "security_groups",
    "status",
    "tenant_id",
    "updated",
    "user_id",
];

const FOR_THE_OPERATOR: &[&str] =
    &["OS-EXT-SRV-ATTR:host", "OS-EXT-SRV-ATTR:hypervisor_hostname", "OS-EXT-SRV-ATTR:instance_name"];

const FOR_THE_OPERATOR_SINCE_3: &[&str] = &[
    "OS-EXT-SRV-ATTR:hostname",
    "OS-EXT-SRV-ATTR:kernel_id",
    "OS-EXT-SRV-ATTR:launch_index",
    "OS-EXT-SRV-ATTR:ramdisk_id",
    "OS-EXT-SRV-ATTR:reservation_id",
    "OS-EXT-SRV-ATTR:root_device_name",
    "OS-EXT-SRV-ATTR:user_data",
];

/// Since which version everybody sees it in `GET /servers/{id}`.
const LATER: &[(u16, &str)] = &[
    (9, "locked"),
    (19, "description"),
    (26, "tags"),
    (63, "trusted_image_certificates"),
    (71, "server_groups"),
    (73, "locked_reason"),
    (90, "OS-EXT-SRV-ATTR:hostname"),
    (96, "pinned_availability_zone"),
];

fn keys(value: &Value) -> Vec<String> {
    let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
    keys.sort();
    keys
}

#[tokio::test]
async fn a_server_shows_what_its_version_had() {
    let cloud = Cloud::with_hosts(&["h1"]).await;
    let id = cloud.create("web").await;
    cloud.until(&id, "ACTIVE").await;
    let path = format!("/compute/v2.1/servers/{id}");
    for minor in 1..=96 {
        let version = format!("compute 2.{minor}");
        let mut expected: Vec<String> = FROM_THE_FIRST.iter().map(|key| (*key).to_owned()).collect();
        expected.extend(LATER.iter().filter(|(since, _)| minor >= *since).map(|(_, key)| (*key).to_owned()));
        expected.sort();
        let shown = cloud.member().version(&version).get(&path).await.expect(200);
        assert_eq!(keys(&shown["server"]), expected, "2.{minor}");

        expected.extend(FOR_THE_OPERATOR.iter().map(|key| (*key).to_owned()));
        if minor >= 3 {
            expected.extend(FOR_THE_OPERATOR_SINCE_3.iter().map(|key| (*key).to_owned()));
        }
        if minor >= 16 {
            expected.push("host_status".to_owned());
        }
        expected.sort();
        expected.dedup();
        let shown = cloud.admin().version(&version).get(&path).await.expect(200);
        assert_eq!(keys(&shown["server"]), expected, "2.{minor} for the operator");

        // A list tells the same, but for server groups.
        let list = cloud.admin().version(&version).get("/compute/v2.1/servers/detail").await.expect(200);
        expected.retain(|key| key != "server_groups");
        assert_eq!(keys(&list["servers"][0]), expected, "2.{minor} in a list");
    }
}

/// The tables of a view, by its name.
fn table(view: &str) -> Vec<Attribute> {
    let mut views = crate::ROOM.drawers.iter().flat_map(|drawer| drawer.views);
    let (_, tables) = views.find(|(name, _)| *name == view).unwrap();
    tables.iter().copied().flatten().copied().collect()
}

#[tokio::test]
async fn views_show_what_their_tables_say() {
    let cloud = Cloud::with_hosts(&["h1"]).await;
    let id = cloud.create("web").await;
    cloud.until(&id, "ACTIVE").await;
    let key = json!({"keypair": {"name": "k", "public_key": super::flavors::KEY}});
    cloud.admin().version("compute 2.96").post("/compute/v2.1/os-keypairs", key).await.expect(201);
    let views = [
        ("server", format!("servers/{id}"), "/server"),
        ("flavor of a server", format!("servers/{id}"), "/server/flavor"),
        ("flavor", "flavors/detail".to_owned(), "/flavors/0"),
        ("keypair", "os-keypairs".to_owned(), "/keypairs/0/keypair"),
        ("hypervisor", "os-hypervisors/detail".to_owned(), "/hypervisors/0"),
        ("service", "os-services".to_owned(), "/services/0"),
        ("action", format!("servers/{id}/os-instance-actions"), "/instanceActions/0"),
    ];
    for minor in 1..=96 {
        let version = types::Microversion::new(2, minor);
        for (view, path, pointer) in &views {
            let talk = cloud.admin().version(&format!("compute 2.{minor}"));
            let told = talk.get(&format!("/compute/v2.1/{path}")).await.expect(200);
            let shown = keys(told.pointer(pointer).unwrap());
            let there: Vec<Attribute> = table(view).into_iter().filter(|attribute| attribute.is_in(version)).collect();
            let unsaid: Vec<_> = shown.iter().filter(|key| !there.iter().any(|it| it.name == **key)).collect();
            assert!(unsaid.is_empty(), "{view} in 2.{minor} shows {unsaid:?}, which its table does not");
            let missing: Vec<_> = there.iter().filter(|it| !it.is_optional && !shown.iter().any(|key| key == it.name)).collect();
            assert!(missing.is_empty(), "{view} in 2.{minor} lacks {missing:?}");
        }
    }
    let printed = api::reference(&table("server"));
    assert!(printed.contains("locked_reason, since 2.73\n"), "{printed}");
    let status = "host_status, since 2.16, for whom os_compute_api:servers:show:host_status admits\n";
    assert!(printed.contains(status), "{printed}");
}

#[tokio::test]
async fn a_server_embeds_its_flavor_from_47_on() {
    let cloud = Cloud::with_hosts(&["h1"]).await;
    let id = cloud.create("web").await;
    let path = format!("/compute/v2.1/servers/{id}");
    let old = cloud.member().version("compute 2.46").get(&path).await.expect(200);
    assert_eq!(keys(&old["server"]["flavor"]), ["id", "links"]);
    let new = cloud.member().version("compute 2.47").get(&path).await.expect(200);
    assert_eq!(keys(&new["server"]["flavor"]), ["disk", "ephemeral", "extra_specs", "original_name", "ram", "swap", "vcpus"]);
    assert_eq!(new["server"]["image"]["id"], IMAGE);
    // An update told little before 2.75.
    let told = cloud.member().version("compute 2.74").put(&path, json!({"server": {"name": "shop"}})).await.expect(200);
    assert!(told["server"].get("OS-EXT-STS:vm_state").is_none());
    let told = cloud.member().version("compute 2.75").put(&path, json!({"server": {"name": "shop"}})).await.expect(200);
    assert!(told["server"].get("OS-EXT-STS:vm_state").is_some());
}

#[tokio::test]
async fn requests_know_what_their_version_had() {
    let cloud = Cloud::asleep(&["h1"]).await;
    let with = |key: &str, value: Value| {
        let mut body = server("web");
        body["server"][key] = value;
        body
    };
    // Key, value, the version that brought it.
    for (key, value, since) in [
        ("description", json!("d"), 19),
        ("tags", json!(["t"]), 52),
        ("hostname", json!("h"), 90),
        ("networks", json!("none"), 37),
        ("networks", json!([{"uuid": super::NETWORK, "tag": "n"}]), 42),
    ] {
        let before = cloud.member().version(&format!("compute 2.{}", since - 1));
        before.post("/compute/v2.1/servers", with(key, value.clone())).await.expect(400);
        let since = cloud.member().version(&format!("compute 2.{since}"));
        since.post("/compute/v2.1/servers", with(key, value)).await.expect(202);
    }
    let fqdn = with("hostname", json!("web.example.com"));
    cloud.member().version("compute 2.93").post("/compute/v2.1/servers", fqdn.clone()).await.expect(400);
    cloud.member().version("compute 2.94").post("/compute/v2.1/servers", fqdn).await.expect(202);
    let mut silent = server("web");
    silent["server"].as_object_mut().unwrap().remove("networks");
    cloud.member().version("compute 2.36").post("/compute/v2.1/servers", silent.clone()).await.expect(202);
    cloud.member().version("compute 2.37").post("/compute/v2.1/servers", silent).await.expect(400);
}

#[tokio::test]
async fn versions_are_negotiated_and_told() {
    let cloud = Cloud::asleep(&[]).await;
    let document = cloud.talk.get("/compute/v2.1").await.expect(200);
    assert_eq!((&document["version"]["version"], &document["version"]["min_version"]), (&json!("2.96"), &json!("2.1")));
    let list = cloud.talk.get("/compute/").await.expect(200);
    assert_eq!(list["versions"][0]["links"][0]["href"], "http://cloud.test/compute/v2.1/");
    let said = cloud.member().version("compute latest").get("/compute/v2.1/flavors").await;
    assert_eq!(said.headers["openstack-api-version"], "compute 2.96");
    assert_eq!(said.headers["x-openstack-nova-api-version"], "2.96");
    cloud.member().version("compute 2.97").get("/compute/v2.1/flavors").await.expect(406);
    assert!(!cloud.member().get("/compute/v2.1/extensions").await.expect(200)["extensions"].as_array().unwrap().is_empty());
}
