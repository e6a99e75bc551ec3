// SPDX-License-Identifier: Apache-2.0
//! createImage: what is asked of image and node, what is shown meanwhile, and how it ends.

use std::time::Duration;

use contracts::{Refusal, RefusalKind, nodes::SnapshotSink};
use serde_json::{Value, json};
use types::ImageId;

use super::{
    Cloud, IMAGE,
    far::{Manner, disk, node_id},
};

async fn active() -> (Cloud, String, String) {
    let cloud = Cloud::with_hosts(&["h1", "h2"]).await;
    let id = cloud.create("web").await;
    cloud.until(&id, "ACTIVE").await;
    let action = format!("/compute/v2.1/servers/{id}/action");
    (cloud, id, action)
}

fn wish() -> Value {
    json!({"createImage": {"name": "web, as it was"}})
}

/// The manner of the host where the server is.
async fn set_manner(cloud: &Cloud, id: &str, manner: Manner) {
    let shown = cloud.admin().get(&format!("/compute/v2.1/servers/{id}")).await.expect(200);
    cloud.far.set_manner(shown["server"]["OS-EXT-SRV-ATTR:host"].as_str().unwrap(), manner);
}

/// Waits until the server has this task.
pub(super) async fn until_task(cloud: &Cloud, id: &str, task: Value) -> Value {
    let mut last = Value::Null;
    for _ in 0..1500 {
        last = cloud.admin().get(&format!("/compute/v2.1/servers/{id}")).await.expect(200)["server"].clone();
        if last["OS-EXT-STS:task_state"] == task {
            return last;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("server {id} does not come to the task {task}: {last}");
}

/// How the last action ended.
async fn outcome(cloud: &Cloud, id: &str) -> (Value, Value) {
    let path = format!("/compute/v2.1/servers/{id}/os-instance-actions");
    let actions = cloud.admin().get(&path).await.expect(200);
    let last = &actions["instanceActions"][0];
    assert_eq!(last["action"], "createImage");
    let shown = cloud.admin().get(&format!("{path}/{}", last["request_id"].as_str().unwrap())).await.expect(200);
    (shown["instanceAction"]["events"][0]["result"].clone(), shown["instanceAction"]["message"].clone())
}

#[tokio::test]
async fn a_server_becomes_an_image() {
    let (cloud, id, action) = active().await;
    let asked = json!({"createImage": {"name": "web, as it was", "metadata": {"image_type": "mine", "colour": "red"}}});
    let answer = cloud.member().post(&action, asked).await.expect(202);
    let image_id = answer["image_id"].as_str().unwrap();
    let shown = until_task(&cloud, &id, Value::Null).await;
    assert_eq!(shown["status"], "ACTIVE");
    let images = cloud.far.images();
    let (image, is_whole) = &images[0];
    assert!(*is_whole && images.len() == 1);
    assert_eq!((image.id.as_str(), image.name.as_str(), image.owner.as_str()), (image_id, "web, as it was", "p1"));
    assert_eq!((image.min_disk, image.min_ram), (1, 64), "the flavor's disk, the image's memory");
    for (name, value) in [
        ("image_type", "mine"),
        ("colour", "red"),
        ("os_distro", "debian"),
        ("base_image_ref", IMAGE),
        ("instance_uuid", id.as_str()),
        ("image_location", "snapshot"),
        ("owner_id", "p1"),
    ] {
        assert_eq!(image.properties.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(!image.properties.contains_key("img_signature"), "the signature is of other data");
    assert_eq!(outcome(&cloud, &id).await.0, "Success");

    // Of a stopped server, by an older client.
    cloud.member().post(&action, json!({"os-stop": null})).await.expect(202);
    cloud.until(&id, "SHUTOFF").await;
    let answer = cloud.member().version("compute 2.44").post(&action, wish()).await;
    let location = answer.headers["location"].clone();
    assert_eq!((answer.status.as_u16(), answer.body), (202, json!("")));
    until_task(&cloud, &id, Value::Null).await;
    let images = cloud.far.images();
    assert!(images.iter().any(|(image, _)| location == format!("http://cloud.test/image/v2/images/{}", image.id)));
    assert!(images.iter().all(|(_, is_whole)| *is_whole));
}

#[tokio::test]
async fn one_at_a_time_and_nothing_else_meanwhile() {
    let (cloud, id, action) = active().await;
    set_manner(&cloud, &id, Manner::Copies).await;
    let member = cloud.member();
    member.post(&action, wish()).await.expect(202);
    let shown = until_task(&cloud, &id, json!("image_snapshot")).await;
    assert_eq!((&shown["status"], &shown["OS-EXT-STS:vm_state"]), (&json!("ACTIVE"), &json!("active")));
    let said = member.post(&action, wish()).await.expect(409);
    let why = format!("Cannot 'createImage' instance {id} while it is in task_state image_snapshot");
    assert_eq!(said["conflictingRequest"]["message"], why);
    member.post(&action, json!({"os-stop": null})).await.expect(409);

    // Who deletes the image does not want it.
    cloud.far.delete_image(cloud.far.images()[0].0.id.as_str());
    cloud.far.bring_back("h1");
    until_task(&cloud, &id, Value::Null).await;
    assert_eq!(outcome(&cloud, &id).await, (json!("Error"), json!("The image was deleted before it had its data.")));
    assert_eq!(cloud.far.images(), []);
    set_manner(&cloud, &id, Manner::Works).await;
    member.post(&action, wish()).await.expect(202);
    until_task(&cloud, &id, Value::Null).await;
    assert!(cloud.far.images()[0].1);
}

#[tokio::test]
async fn what_comes_to_nothing_leaves_no_image() {
    let (cloud, id, action) = active().await;
    cloud.far.refuse_images.lock().unwrap().push(Refusal::exhausted("The project is over its limit."));
    let said = cloud.member().post(&action, wish()).await.expect(403);
    assert_eq!(said["forbidden"]["message"], "The project is over its limit.");
    until_task(&cloud, &id, Value::Null).await;
    assert_eq!(outcome(&cloud, &id).await, (json!("Error"), json!("The project is over its limit.")));

    set_manner(&cloud, &id, Manner::CannotCopy("the disk is full".to_owned())).await;
    cloud.member().post(&action, wish()).await.expect(202);
    let shown = until_task(&cloud, &id, Value::Null).await;
    assert_eq!(shown["status"], "ACTIVE");
    assert_eq!(outcome(&cloud, &id).await, (json!("Error"), json!("the disk is full")));
    assert_eq!(cloud.far.images(), []);

    // Nor does a server that is deleted leave one that is half there.
    set_manner(&cloud, &id, Manner::Copies).await;
    cloud.member().post(&action, wish()).await.expect(202);
    until_task(&cloud, &id, json!("image_snapshot")).await;
    cloud.member().delete(&format!("/compute/v2.1/servers/{id}")).await.expect(204);
    cloud.until_gone(&id).await;
    assert_eq!(cloud.far.images(), []);
    cloud.assert_clean().await;
}

#[tokio::test]
async fn a_node_sends_only_what_was_asked_of_it() {
    let (cloud, id, action) = active().await;
    set_manner(&cloud, &id, Manner::Copies).await;
    let host = cloud.admin().get(&format!("/compute/v2.1/servers/{id}")).await.body["server"]["OS-EXT-SRV-ATTR:host"].clone();
    let (here, elsewhere) = if host == "h1" { ("h1", "h2") } else { ("h2", "h1") };
    let sends = async |host: &str, image: &ImageId| cloud.compute.take_snapshot(&node_id(host), image, disk()).await;
    let image = ImageId::new(cloud.member().post(&action, wish()).await.expect(202)["image_id"].as_str().unwrap());
    let refused = |done: Result<(), Refusal>| assert_eq!(done.unwrap_err().kind, RefusalKind::NotFound);
    refused(sends(elsewhere, &image).await);
    refused(sends(here, &ImageId::new(IMAGE)).await);
    assert!(!cloud.far.images()[0].1);
    sends(here, &image).await.unwrap();
    until_task(&cloud, &id, Value::Null).await;
    refused(sends(here, &image).await);
}

#[tokio::test]
async fn wishes_that_cannot_be_are_refused() {
    let (cloud, id, action) = active().await;
    let many: serde_json::Map<_, _> = (0..200).map(|n| (n.to_string(), json!("x"))).collect();
    for (wish, status) in [
        (json!({}), 400),
        (json!({"name": ""}), 400),
        (json!({"name": "a".repeat(256)}), 400),
        (json!({"name": "a", "metadata": {"": ""}}), 400),
        (json!({"name": "a", "metadata": {"a".repeat(256): "b"}}), 400),
        (json!({"name": "a", "metadata": {"a": 1}}), 400),
        (json!({"name": "a", "metadata": many}), 403),
        (json!({"name": "a", "rotation": 1}), 400),
    ] {
        cloud.member().post(&action, json!({"createImage": wish})).await.expect(status);
    }
    cloud.talk.as_("reader@p1").post(&action, wish()).await.expect(403);
    cloud.talk.as_("member@p2").post(&action, wish()).await.expect(404);
    cloud.admin().post(&action, json!({"os-resetState": {"state": "error"}})).await.expect(202);
    cloud.member().post(&action, wish()).await.expect(409);
    assert_eq!(cloud.far.images(), []);
    cloud.member().delete(&format!("/compute/v2.1/servers/{id}")).await.expect(204);
    cloud.until_gone(&id).await;

    cloud.far.set_manner("h1", Manner::Sleeps);
    cloud.far.set_manner("h2", Manner::Sleeps);
    let id = cloud.create("later").await;
    cloud.member().post(&format!("/compute/v2.1/servers/{id}/action"), wish()).await.expect(409);
}
