// SPDX-License-Identifier: Apache-2.0
//! What is wrong with a request is told, with the right status, and nothing is left of it.

use serde_json::{Value, json};

use super::{Cloud, IMAGE, server, server_with};

const NOBODY: &str = "99999999-9999-4999-8999-99999999999f";

#[tokio::test]
async fn a_wrong_create_is_refused_and_leaves_nothing() {
    let cloud = Cloud::asleep(&["h1"]).await;
    let without = |key: &str| {
        let mut body = server("web");
        body["server"].as_object_mut().unwrap().remove(key);
        body
    };
    let volume = json!([{"uuid": NOBODY, "source_type": "volume", "destination_type": "volume", "boot_index": 0}]);
    let table: Vec<(Value, u16, &str)> = vec![
        (json!({}), 400, "'server' is a required property"),
        (json!([1]), 400, "JSON object"),
        (without("name"), 400, "'name' is a required property"),
        (without("flavorRef"), 400, "'flavorRef' is a required property"),
        (without("networks"), 400, "'networks' is a required property"),
        (without("imageRef"), 400, "Invalid imageRef"),
        (server_with("name", json!("")), 400, "field/attribute name"),
        (server_with("name", json!("x".repeat(256))), 400, "too long"),
        (server_with("name", json!(" x")), 400, "blanks at its ends"),
        (server_with("name", json!(7)), 400, "not of type 'string'"),
        (server_with("flavorRef", json!("no-such")), 400, "Flavor no-such could not be found"),
        (server_with("flavorRef", json!({})), 400, "flavorRef"),
        (server_with("imageRef", json!("no-such")), 400, "Image no-such could not be found"),
        (server_with("imageRef", json!("99999999-0000-4000-8000-000000000000")), 400, "not active"),
        (server_with("imageRef", json!("88888888-0000-4000-8000-000000000000")), 400, "iso"),
        (
            server_with("imageRef", json!("77777777-0000-4000-8000-000000000000")),
            400,
            "is unacceptable: its disk is in a container of the format ova",
        ),
        (server_with("networks", json!([{"uuid": NOBODY}])), 400, "could not be found"),
        (server_with("networks", json!([{"uuid": "x"}])), 400, "not a UUID"),
        (server_with("networks", json!([{}])), 400, "missing 'uuid'"),
        (server_with("networks", json!("some")), 400, "networks"),
        (server_with("networks", json!(null)), 400, "networks"),
        (server_with("networks", json!([{"uuid": null}])), 400, "uuid"),
        (server_with("networks", json!([{"uuid": NOBODY, "fixed_ip": null}])), 400, "not an IP address"),
        (server_with("imageRef", json!(null)), 400, "not of type 'string'"),
        (server_with("flavorRef", json!(null)), 400, "not of type 'string'"),
        (server_with("key_name", json!(null)), 400, "not of type 'string'"),
        (server_with("security_groups", json!(null)), 400, "not of type 'array'"),
        (server_with("metadata", json!(null)), 400, "not of type 'object'"),
        (server_with("user_data", json!(null)), 400, "not of type 'string'"),
        (server_with("config_drive", json!(null)), 400, "not of type 'boolean'"),
        (server_with("min_count", json!(null)), 400, "not of type 'integer'"),
        (server_with("min_count", json!("+1")), 400, "not of type 'integer'"),
        (server_with("networks", json!([{"port": NOBODY, "fixed_ip": "10.0.0.1"}])), 400, "Fixed IP"),
        (server_with("networks", json!([{"port": NOBODY}, {"port": NOBODY}])), 400, "twice"),
        (server_with("networks", json!([{"uuid": NOBODY, "fixed_ip": "1.2.3"}])), 400, "not an IP address"),
        (server_with("security_groups", json!([{"name": "nope"}])), 400, "Security group nope not found"),
        (server_with("key_name", json!("nope")), 400, "Invalid key_name provided"),
        (server_with("user_data", json!("no base64!")), 400, "not 'base64'"),
        (server_with("user_data", json!("A".repeat(65536))), 400, "too long"),
        (server_with("metadata", json!({"k": "v".repeat(256)})), 400, "too long"),
        (server_with("metadata", json!({"": "v"})), 400, "metadata"),
        (server_with("metadata", json!({"k": 1})), 400, "not of type 'string'"),
        (server_with("personality", json!([])), 400, "'personality' was unexpected"),
        (server_with("block_device_mapping_v2", volume), 400, "Boot sequence"),
        (server_with("min_count", json!(0)), 400, "minimum of 1"),
        (server_with("min_count", json!("x")), 400, "not of type 'integer'"),
        (server_with("availability_zone", json!("mars")), 400, "availability zone is not available"),
        (server_with("availability_zone", json!("nova:h1")), 403, "forced_host"),
        (server_with("host", json!("h1")), 403, "requested_destination"),
        (server_with("hostname", json!("-bad-")), 400, "not a host name"),
        (server_with("tags", json!(["a,b"])), 400, "neither ','"),
        (server_with("trusted_image_certificates", json!([NOBODY])), 400, "signature"),
        (server_with("config_drive", json!("maybe")), 400, "not of type 'boolean'"),
        (server_with("accessIPv4", json!("::1")), 400, "ipv4"),
        (server_with("nonsense", json!(1)), 400, "('nonsense' was unexpected)"),
    ];
    for (body, status, words) in table {
        let said = cloud.member().post("/compute/v2.1/servers", body.clone()).await.expect(status);
        let kind = if status == 403 { "forbidden" } else { "badRequest" };
        let message = said[kind]["message"].as_str().unwrap_or_default();
        assert!(message.contains(words), "{body}: {said}");
        assert!(message.len() < 700, "what was sent is not repeated at length");
    }
    let mut both = server("web");
    both["server"]["min_count"] = json!(3);
    both["server"]["max_count"] = json!(2);
    cloud.member().post("/compute/v2.1/servers", both).await.expect(400);
    let malformed = cloud.member().send("POST", "/compute/v2.1/servers", b"{\"server\": ".to_vec()).await.expect(400);
    assert!(malformed["badRequest"]["message"].is_string());
    cloud.member().send("POST", "/compute/v2.1/servers", vec![b' '; 200_000]).await.expect(413);
    let list = cloud.member().get("/compute/v2.1/servers").await.expect(200);
    assert_eq!(list["servers"], json!([]));
}

#[tokio::test]
async fn the_image_on_the_local_disk_is_no_volume() {
    let cloud = Cloud::asleep(&["h1"]).await;
    let device = json!({"uuid": IMAGE, "source_type": "image", "destination_type": "local", "boot_index": 0, "delete_on_termination": true});
    let with = |devices: Value| server_with("block_device_mapping_v2", devices);
    cloud.member().post("/compute/v2.1/servers", with(json!([device]))).await.expect(202);
    cloud.member().post("/compute/v2.1/servers", with(json!([device, device]))).await.expect(400);
    let mut odd = device;
    odd["nonsense"] = json!(1);
    cloud.member().post("/compute/v2.1/servers", with(json!([odd]))).await.expect(400);
}

#[tokio::test]
async fn two_tenants_do_not_meet() {
    let cloud = Cloud::with_hosts(&["h1"]).await;
    let id = cloud.create("mine").await;
    cloud.until(&id, "ACTIVE").await;
    let other = cloud.talk.as_("member@p2");
    let path = format!("/compute/v2.1/servers/{id}");
    other.get(&path).await.expect(404);
    other.delete(&path).await.expect(404);
    other.put(&path, json!({"server": {"name": "stolen"}})).await.expect(404);
    for action in ["os-start", "os-stop", "forceDelete", "lock", "unlock", "os-getConsoleOutput", "changePassword"] {
        other.post(&format!("{path}/action"), json!({action: null})).await.expect(404);
    }
    other.post(&format!("{path}/action"), json!({"reboot": {"type": "HARD"}})).await.expect(404);
    for below in ["metadata", "tags", "ips", "os-interface", "os-volume_attachments", "os-instance-actions"] {
        other.get(&format!("{path}/{below}")).await.expect(404);
    }
    other.put(&format!("{path}/metadata"), json!({"metadata": {}})).await.expect(404);
    other.put(&format!("{path}/tags"), json!({"tags": []})).await.expect(404);
    assert_eq!(other.get("/compute/v2.1/servers").await.expect(200)["servers"], json!([]));
    assert_eq!(other.get(&format!("/compute/v2.1/servers?uuid={id}")).await.expect(200)["servers"], json!([]));
    other.get(&format!("/compute/v2.1/servers?marker={id}")).await.expect(400);
    other.get("/compute/v2.1/servers?all_tenants=1").await.expect(403);
    // Who may only read, only reads.
    let reader = cloud.talk.as_("reader@p1");
    reader.get(&path).await.expect(200);
    reader.delete(&path).await.expect(403);
    reader.post(&format!("{path}/action"), json!({"os-stop": null})).await.expect(403);
    reader.post("/compute/v2.1/servers", server("x")).await.expect(403);
    cloud.talk.get(&path).await.expect(401);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let cloud = Cloud::asleep(&["h1"]).await;
    let member = cloud.member();
    for path in [
        format!("/compute/v2.1/servers/{NOBODY}"),
        "/compute/v2.1/servers/not-a-uuid".to_owned(),
        "/compute/v2.1/servers/%2e%2e".to_owned(),
        format!("/compute/v2.1/flavors/{NOBODY}"),
        "/compute/v2.1/os-keypairs/nope".to_owned(),
        "/compute/v2.1/os-networks".to_owned(),
        "/compute/v2.1/images".to_owned(),
        "/compute/v2.1/nonsense".to_owned(),
    ] {
        member.get(&path).await.expect(404);
    }
    member.post(&format!("/compute/v2.1/servers/{NOBODY}/action"), json!({"os-start": null})).await.expect(404);
    member.post(&format!("/compute/v2.1/servers/{NOBODY}/action"), json!({"os-dance": null})).await.expect(400);
    member.post(&format!("/compute/v2.1/servers/{NOBODY}/action"), json!({"os-start": null, "os-stop": null})).await.expect(400);
}
