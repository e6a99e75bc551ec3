// SPDX-License-Identifier: Apache-2.0
//! What a guest is told of itself, and what it says; and that what its owner wrote comes back as he wrote it.

use contracts::{
    RefusalKind,
    node::{GuestPassword, MachineDesired},
    nodes::PasswordSink,
};
use serde_json::{Value, json};
use types::{NodeId, Secret, ServerId};

use super::{Cloud, IMAGE, NETWORK, id_of, server, server_with};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJJ9bxqUoKzGEHBZzFDrTzPwLSSpKTu4Nq8YMYgHYYtd me@here\n";

/// What the server's node is told of its machine.
async fn machine(cloud: &Cloud, id: &str) -> (NodeId, MachineDesired) {
    let shown = cloud.admin().get(&format!("/compute/v2.1/servers/{id}")).await.expect(200);
    let node = super::far::node_id(shown["server"]["OS-EXT-SRV-ATTR:host"].as_str().unwrap());
    let machines = cloud.wanted(&node).await;
    (node, machines.into_iter().find(|machine| machine.server_id.as_str() == id).unwrap())
}

fn said(text: &str) -> GuestPassword {
    GuestPassword { password: Secret::new(text.to_owned()) }
}

#[tokio::test]
async fn a_guest_says_its_password_once() {
    let cloud = Cloud::with_hosts(&["h1", "h2"]).await;
    let id = cloud.create("web").await;
    cloud.until(&id, "ACTIVE").await;
    let (node, _) = machine(&cloud, &id).await;
    let other = super::far::node_id(if node.as_str().ends_with('1') { "h2" } else { "h1" });
    let (server_id, path) = (ServerId::new(id.as_str()), format!("/compute/v2.1/servers/{id}/os-server-password"));
    let mine = cloud.member();
    assert_eq!(mine.get(&path).await.expect(200), json!({"password": ""}));
    let take = async |node: &NodeId, text: &str| {
        cloud.compute.take_password(node, &server_id, said(text)).await.map_err(|refusal| refusal.kind)
    };
    assert_eq!(take(&other, "stolen").await, Err(RefusalKind::NotFound));
    assert_eq!(take(&node, &"x".repeat(1021)).await, Err(RefusalKind::Invalid));
    assert_eq!(take(&node, "").await, Ok(()));
    assert_eq!(take(&node, "sealed").await, Ok(()));
    assert_eq!(take(&node, "another").await, Err(RefusalKind::Conflict));
    assert_eq!(mine.get(&path).await.expect(200), json!({"password": "sealed"}));
    assert_eq!(machine(&cloud, &id).await.1.metadata.guest_password.unwrap().reveal(), "sealed");

    cloud.talk.as_("member@p2").get(&path).await.expect(404);
    cloud.talk.as_("member@p2").delete(&path).await.expect(404);
    cloud.talk.as_("reader@p1").get(&path).await.expect(200);
    cloud.talk.as_("reader@p1").delete(&path).await.expect(403);
    mine.delete(&path).await.expect(204);
    mine.delete(&path).await.expect(204);
    assert_eq!(mine.get(&path).await.expect(200), json!({"password": ""}));
    assert_eq!(take(&node, "again").await, Ok(()));
    // The events tell that there was one, and not which.
    let events = cloud.store().read(|tx| tx.query("SELECT before_state, after_state FROM events", &[])).await.unwrap();
    for event in events {
        let text = |at| event.get::<Option<String>>(at).unwrap().unwrap_or_default();
        assert!(!format!("{}{}", text(0), text(1)).contains("sealed"));
    }
    mine.delete(&format!("/compute/v2.1/servers/{id}")).await.expect(204);
    cloud.until_gone(&id).await;
    assert_eq!(take(&node, "late").await, Err(RefusalKind::NotFound));
}

#[tokio::test]
async fn the_tags_of_devices_reach_the_node() {
    let cloud = Cloud::with_hosts(&["h1"]).await;
    let device =
        |tag: Value| json!([{"uuid": IMAGE, "source_type": "image", "destination_type": "local", "boot_index": 0, "tag": tag}]);
    let mut body = server_with("networks", json!([{"uuid": NETWORK}, {"uuid": NETWORK, "tag": "mgmt"}]));
    body["server"]["block_device_mapping_v2"] = device(json!("system"));
    let id = id_of(cloud.member().post("/compute/v2.1/servers", body).await.expect(202));
    cloud.until(&id, "ACTIVE").await;
    let (_, told) = machine(&cloud, &id).await;
    let tags: Vec<Option<&str>> = told.nics().map(|nic| nic.tag.as_deref()).collect();
    assert_eq!((tags, told.root().unwrap().tag.as_deref()), (vec![None, Some("mgmt")], Some("system")));

    for wrong in ["", "a,b", "a/b", &"x".repeat(61)] {
        let nic = server_with("networks", json!([{"uuid": NETWORK, "tag": wrong}]));
        cloud.member().post("/compute/v2.1/servers", nic).await.expect(400);
        let disk = server_with("block_device_mapping_v2", device(json!(wrong)));
        cloud.member().post("/compute/v2.1/servers", disk).await.expect(400);
    }
    for (version, nic_status, disk_status) in
        [("2.31", 400, 400), ("2.32", 202, 202), ("2.36", 202, 400), ("2.37", 400, 400), ("2.42", 202, 202)]
    {
        let talk = cloud.member().version(&format!("compute {version}"));
        let nic = server_with("networks", json!([{"uuid": NETWORK, "tag": "mgmt"}]));
        talk.post("/compute/v2.1/servers", nic).await.expect(nic_status);
        let disk = server_with("block_device_mapping_v2", device(json!("system")));
        talk.post("/compute/v2.1/servers", disk).await.expect(disk_status);
    }
}

#[tokio::test]
async fn what_an_owner_wrote_comes_back_as_he_wrote_it() {
    let cloud = Cloud::with_hosts(&["h1"]).await;
    let mine = cloud.member();
    let key = |text: &str| json!({"keypair": {"name": "k", "public_key": text}});
    for text in [KEY.to_owned(), KEY.trim().to_owned(), KEY.replace('\n', "\r\n"), KEY.replace(" me@here", " me at home ")] {
        let made = mine.post("/compute/v2.1/os-keypairs", key(&text)).await.expect(201);
        assert_eq!(made["keypair"]["public_key"], text);
        assert_eq!(made["keypair"]["fingerprint"], "73:2b:ae:ef:23:a3:6e:6e:69:56:f7:40:08:69:85:19");
        assert_eq!(mine.get("/compute/v2.1/os-keypairs/k").await.expect(200)["keypair"]["public_key"], text);
        mine.delete("/compute/v2.1/os-keypairs/k").await.expect(204);
    }
    mine.post("/compute/v2.1/os-keypairs", key(KEY)).await.expect(201);
    let (broken, description) = ("IyEvYmlu\nL3NoCg==\n", " as  I wrote it\n");
    let mut body = server("web");
    body["server"]["key_name"] = json!("k");
    body["server"]["user_data"] = json!(broken);
    body["server"]["description"] = json!(description);
    body["server"]["metadata"] = json!({"note": " as it is \n"});
    let id = id_of(mine.post("/compute/v2.1/servers", body).await.expect(202));
    cloud.until(&id, "ACTIVE").await;
    let shown = cloud.admin().get(&format!("/compute/v2.1/servers/{id}")).await.expect(200)["server"].clone();
    assert_eq!((&shown["OS-EXT-SRV-ATTR:user_data"], &shown["description"]), (&json!(broken), &json!(description)));
    assert_eq!(shown["metadata"]["note"], " as it is \n");
    let (_, told) = machine(&cloud, &id).await;
    assert_eq!((told.metadata.public_keys["k"].as_str(), told.metadata.user_data.unwrap().reveal().as_str()), (KEY, broken));
}
