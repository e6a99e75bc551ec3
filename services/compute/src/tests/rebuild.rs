// SPDX-License-Identifier: Apache-2.0
//! Servers whose disk is made anew.

use serde_json::{Value, json};

use super::{Cloud, IMAGE, NETWORK, far::Manner, operations::outcome, server, snapshots::until_task};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIrcAoP7N8V3RPvlVO2oKgW8EcnGRmFDOqWuBG4FsF0l me";

async fn with_server() -> (Cloud, String, String) {
    let cloud = Cloud::with_hosts(&["h1"]).await;
    let id = cloud.create("web").await;
    cloud.until(&id, "ACTIVE").await;
    let action = format!("/compute/v2.1/servers/{id}/action");
    (cloud, id, action)
}

async fn end(cloud: &Cloud, id: &str) {
    cloud.member().delete(&format!("/compute/v2.1/servers/{id}")).await.expect(204);
    cloud.until_gone(id).await;
    cloud.assert_clean().await;
}

/// An image that was made of the server.
async fn other_image(cloud: &Cloud, id: &str, action: &str) -> String {
    let image = cloud.member().post(action, json!({"createImage": {"name": "other"}})).await.expect(202)["image_id"].clone();
    let image = image.as_str().unwrap().to_owned();
    until_task(cloud, id, Value::Null).await;
    image
}

#[tokio::test]
async fn a_server_gets_a_new_root_and_keeps_its_host_its_ports_and_its_state() {
    let (cloud, id, action) = with_server().await;
    let other = other_image(&cloud, &id, &action).await;
    let (ports, nics) = (cloud.far.ports(), cloud.far.nics(&id));
    let (first, _) = cloud.far.root(&id);
    let key = json!({"keypair": {"name": "k", "public_key": KEY, "type": "ssh"}});
    cloud.member().post("/compute/v2.1/os-keypairs", key).await.expect(201);
    let wish = json!({"rebuild": {
        "imageRef": other, "name": "new", "metadata": {"role": "db"}, "adminPass": "seCret", "description": "d",
        "accessIPv4": "192.0.2.7", "key_name": "k", "user_data": "aGVsbG8=", "hostname": "new-host",
    }});
    let answer = cloud.member().post(&action, wish).await.expect(202)["server"].clone();
    assert_eq!(
        (&answer["status"], &answer["adminPass"], &answer["image"]["id"]),
        (&json!("REBUILD"), &json!("seCret"), &json!(other))
    );
    assert_eq!((&answer["key_name"], &answer["user_data"]), (&json!("k"), &json!("aGVsbG8=")));
    let shown = cloud.until(&id, "ACTIVE").await;
    assert_eq!((&shown["name"], &shown["metadata"]), (&json!("new"), &json!({"role": "db"})));
    assert_eq!(
        (&shown["description"], &shown["accessIPv4"], &shown["key_name"]),
        (&json!("d"), &json!("192.0.2.7"), &json!("k"))
    );
    assert_eq!((&shown["OS-EXT-SRV-ATTR:hostname"], &shown["image"]["id"]), (&json!("new-host"), &json!(other)));
    let (second, image) = cloud.far.root(&id);
    assert!(second > first && image == other, "{second} {first} {image}");
    assert_eq!((cloud.far.ports(), cloud.far.nics(&id)), (ports, nics));
    assert_eq!(outcome(&cloud, &id, "rebuild").await.0, "Success");

    // One that is off is off again, and what is not said stays.
    cloud.member().post(&action, json!({"os-stop": null})).await.expect(202);
    cloud.until(&id, "SHUTOFF").await;
    until_task(&cloud, &id, Value::Null).await;
    let answer = cloud.member().post(&action, json!({"rebuild": {"imageRef": IMAGE, "key_name": null, "user_data": null}})).await;
    assert_eq!(answer.expect(202)["server"]["status"], "REBUILD");
    let shown = cloud.until(&id, "SHUTOFF").await;
    until_task(&cloud, &id, Value::Null).await;
    assert_eq!((&shown["name"], &shown["key_name"], &shown["metadata"]), (&json!("new"), &Value::Null, &json!({"role": "db"})));
    let (third, image) = cloud.far.root(&id);
    assert!(third > second && image == IMAGE, "{third} {second} {image}");
    assert_eq!(cloud.far.places(&id), ["h1 stopped 512"]);
    end(&cloud, &id).await;
}

#[tokio::test]
async fn a_rebuild_is_asked_for_as_nova_has_it() {
    let (cloud, id, action) = with_server().await;
    let gone = "55555555-5555-4555-8555-555555555555";
    for body in [
        json!({}),
        json!({"imageRef": ""}),
        json!({"imageRef": "small"}),
        json!({"imageRef": gone}),
        json!({"imageRef": "99999999-9999-4999-8999-999999999999"}),
        json!({"imageRef": IMAGE, "name": ""}),
        json!({"imageRef": IMAGE, "metadata": []}),
        json!({"imageRef": IMAGE, "metadata": {"": "a"}}),
        json!({"imageRef": IMAGE, "key_name": "nobody's"}),
        json!({"imageRef": IMAGE, "user_data": "?"}),
        json!({"imageRef": IMAGE, "accessIPv4": "ten"}),
        json!({"imageRef": IMAGE, "preserve_ephemeral": true}),
        json!({"imageRef": IMAGE, "trusted_image_certificates": [gone]}),
        json!({"imageRef": IMAGE, "networks": [{"uuid": NETWORK}]}),
    ] {
        cloud.member().post(&action, json!({"rebuild": body})).await.expect(400);
    }
    for (version, field) in [("2.18", "description"), ("2.53", "key_name"), ("2.56", "user_data"), ("2.89", "hostname")] {
        let said = cloud.member().version(&format!("compute {version}"));
        said.post(&action, json!({"rebuild": {"imageRef": IMAGE, field: "aGVsbG8="}})).await.expect(400);
    }
    for other in [cloud.talk.as_("member@p2"), cloud.talk.as_("reader@p1")] {
        let status = other.post(&action, json!({"rebuild": {"imageRef": IMAGE}})).await.status;
        assert!(status == 404 || status == 403, "{status}");
    }
    cloud.far.forget("h1", contracts::node::Feature::Rebuild);
    let said = cloud.member().post(&action, json!({"rebuild": {"imageRef": IMAGE}})).await.expect(409);
    assert!(said["conflictingRequest"]["message"].as_str().unwrap().contains("cannot rebuild machines"), "{said}");
    end(&cloud, &id).await;
}

#[tokio::test]
async fn a_rebuild_that_fails_says_why_and_can_be_tried_again() {
    let (cloud, id, action) = with_server().await;
    cloud.far.set_manner("h1", Manner::Fails("the image is damaged".to_owned()));
    cloud.member().post(&action, json!({"rebuild": {"imageRef": IMAGE}})).await.expect(202);
    let shown = cloud.until(&id, "ERROR").await;
    assert_eq!(shown["fault"]["message"], "the image is damaged");
    assert_eq!(outcome(&cloud, &id, "rebuild").await, (json!("Error"), json!("the image is damaged")));
    until_task(&cloud, &id, Value::Null).await;
    cloud.far.set_manner("h1", Manner::Works);
    cloud.member().post(&action, json!({"rebuild": {"imageRef": IMAGE}})).await.expect(202);
    let shown = cloud.until(&id, "ACTIVE").await;
    assert_eq!(shown["fault"], Value::Null);
    // What other versions are told.
    let early = cloud.member().version("compute 2.1").post(&action, json!({"rebuild": {"imageRef": IMAGE}})).await.expect(202);
    assert_eq!((&early["server"]["key_name"], early["server"].get("OS-EXT-STS:vm_state")), (&Value::Null, None));
    cloud.until(&id, "ACTIVE").await;
    let second = super::id_of(cloud.member().post("/compute/v2.1/servers", server("second")).await.expect(202));
    cloud.until(&second, "ACTIVE").await;
    cloud.member().delete(&format!("/compute/v2.1/servers/{second}")).await.expect(204);
    cloud.until_gone(&second).await;
    end(&cloud, &id).await;
}
