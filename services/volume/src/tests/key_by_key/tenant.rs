// SPDX-License-Identifier: Apache-2.0
//! What is a tenant's.

use serde_json::{Value, json};

use super::{Cloud, Taken, id_of};
use crate::tests::far::IMAGE;

/// Versions whose views have examples of their own.
const VERSIONS: [&str; 7] = ["3.13", "3.21", "3.48", "3.61", "3.63", "3.65", "3.69"];

pub(super) async fn volumes(taken: &mut Taken, cloud: &Cloud) -> String {
    let admin = cloud.admin();
    let all = "/v3/volumes";
    let versions = [("3.0", String::new())].into_iter().chain(VERSIONS.map(|version| (version, format!("v{version}/"))));
    let mut last = String::new();
    for (version, folder) in versions {
        let talk = admin.version(&format!("volume {version}"));
        let ask = json!({"volume": {"size": 1, "name": "n", "description": "d", "metadata": {"name": "test0"}}});
        let made = taken.put(&format!("volumes/{folder}volume-create"), talk.post(&format!("/volume{all}"), ask).await);
        last = id_of(&made["volume"]);
        cloud.until(&last, "available").await;
        let path = format!("{all}/{last}");
        taken.get_as(version, &format!("volumes/{folder}volume-show"), &path).await;
        let change = json!({"volume": {"name": "other", "description": "d"}});
        let changed = talk.put(&format!("/volume{path}"), change).await;
        taken.put(&format!("volumes/{folder}volume-update"), changed);
        taken.get_as(version, &format!("volumes/{folder}volumes-list-detailed"), &format!("{all}/detail")).await;
    }
    taken.get("volumes/volumes-list", all).await;
    taken.get("volumes/volumes-list-summary", &format!("{all}/summary")).await;
    metadata(taken, "volumes/volume", &format!("{all}/{last}/metadata")).await;
    last
}

async fn metadata(taken: &mut Taken, of: &str, path: &str) {
    let admin = taken.admin.clone();
    let path_there = format!("/volume{path}");
    let more = json!({"metadata": {"name": "metadata0", "key1": "v"}});
    taken.put(&format!("{of}-metadata-create"), admin.post(&path_there, more).await);
    taken.get(&format!("{of}-metadata-show"), path).await;
    let all = json!({"metadata": {"name": "metadata1", "key": "v", "key1": "v"}});
    taken.put(&format!("{of}-metadata-update"), admin.put(&path_there, all).await);
    let item = json!({"meta": {"name": "new_name"}});
    taken.put(&format!("{of}-metadata-update-key"), admin.put(&format!("{path_there}/name"), item).await);
    taken.get(&format!("{of}-metadata-show-key"), &format!("{path}/name")).await;
}

pub(super) async fn snapshots(taken: &mut Taken, cloud: &Cloud, volume: &str) {
    let admin = cloud.admin();
    let all = "/v3/snapshots";
    let mut last = String::new();
    for (version, folder) in [("3.0", ""), ("3.14", "v3.14/"), ("3.41", "v3.41/"), ("3.65", "v3.65/")] {
        let talk = admin.version(&format!("volume {version}"));
        let ask = json!({"snapshot": {"volume_id": volume, "name": "s", "description": "d", "metadata": {"key": "v3"}}});
        let made = taken.put(&format!("snapshots/{folder}snapshot-create"), talk.post(&format!("/volume{all}"), ask).await);
        last = id_of(&made["snapshot"]);
        let path = format!("{all}/{last}");
        cloud.until_it(&format!("/volume{path}"), "snapshot", "available").await;
        taken.get_as(version, &format!("snapshots/{folder}snapshot-show"), &path).await;
        let change = json!({"snapshot": {"name": "other", "description": "d"}});
        taken.put(&format!("snapshots/{folder}snapshot-update"), talk.put(&format!("/volume{path}"), change).await);
        let detail = format!("{all}/detail");
        taken.get_as(version, &format!("snapshots/{folder}snapshots-list-detailed"), &detail).await;
    }
    taken.get("snapshots/snapshots-list", all).await;
    metadata(taken, "snapshots/snapshot", &format!("{all}/{last}/metadata")).await;
}

pub(super) async fn transfers(taken: &mut Taken, cloud: &Cloud) {
    let admin = cloud.admin();
    let (old, new) = ("/v3/os-volume-transfer", "/v3/volume-transfers");
    for (version, all, folder, create, show) in [
        ("3.0", old, "volume_transfer/", "volume-transfer-create", "volume-transfer-show"),
        ("3.55", new, "volume_transfers/v3.55/", "volume-transfers-create", "volume-transfers-show"),
        ("3.57", new, "volume_transfers/v3.57/", "volume-transfers-create", "volume-transfers-show"),
    ] {
        let talk = admin.version(&format!("volume {version}"));
        let id = cloud.volume(1).await;
        let ask = json!({"transfer": {"volume_id": id, "name": "gift"}});
        let made = taken.put(&format!("{folder}{create}"), talk.post(&format!("/volume{all}"), ask).await)["transfer"].clone();
        let path = format!("{all}/{}", id_of(&made));
        taken.get_as(version, &format!("{folder}{show}"), &path).await;
        if all == old {
            taken.get_as(version, "volume_transfer/volume-transfers-list", all).await;
            taken.get_as(version, "volume_transfer/volume-transfers-list-detailed", &format!("{all}/detail")).await;
        }
        let key = json!({"accept": {"auth_key": made["auth_key"]}});
        let accepted = talk.post(&format!("/volume{path}/accept"), key).await;
        let example =
            if all == old { "volume_transfer/volume-transfer-accept" } else { "volume_transfers/volume-transfers-accept" };
        taken.put(example, accepted);
    }
}

pub(super) async fn attachments(taken: &mut Taken, volume: &str) {
    let all = "/v3/attachments";
    let server = "66666666-6666-4666-8666-666666666666";
    let ask = json!({"attachment": {"volume_uuid": volume, "instance_uuid": server}});
    let made = taken.admin.post(&format!("/volume{all}"), ask).await;
    let id = id_of(&taken.put("attachment-create", made)["attachment"]);
    taken.get("attachment-show", &format!("{all}/{id}")).await;
    taken.get("attachment-list", all).await;
    taken.get("attachment-list-detailed", &format!("{all}/detail")).await;
}

pub(super) async fn groups(taken: &mut Taken, cloud: &Cloud) {
    let admin = cloud.admin();
    let post = async |path: &str, body: Value| admin.post(&format!("/volume/v3/{path}"), body).await;
    let specs = json!({"consistent_group_snapshot_enabled": "<is> False"});
    let ask = json!({"group_type": {"name": "g", "description": "d", "group_specs": specs}});
    let kind = id_of(&post("group_types", ask).await.expect(202)["group_type"]);
    let path = format!("/v3/group_types/{kind}");
    taken.get("group-type-show", &path).await;
    taken.get("group-types-list", "/v3/group_types").await;
    let more = json!({"group_specs": {"key1": "v", "key2": "v", "key3": "v"}});
    taken.put("group-type-specs-create", post(&format!("group_types/{kind}/group_specs"), more).await);
    let item = admin.put(&format!("/volume{path}/group_specs/key1"), json!({"key1": "w"})).await;
    taken.put("group-type-specs-update", item);
    taken.get("group-type-specs-show", &format!("{path}/group_specs/key1")).await;
    taken.get("group-type-specs-list", &format!("{path}/group_specs")).await;

    let ask = json!({"group": {"name": "n", "description": "d", "group_type": kind, "volume_types": ["__DEFAULT__"]}});
    let group = id_of(&taken.put("group-create", post("groups", ask).await)["group"]);
    let made = post("volumes", json!({"volume": {"size": 1, "group_id": group}})).await.expect(202);
    cloud.until(&id_of(&made["volume"]), "available").await;
    taken.get("group-show", &format!("/v3/groups/{group}?list_volume=true")).await;
    taken.get("groups-list", "/v3/groups").await;
    taken.get("groups-list-detailed", "/v3/groups/detail?list_volume=true").await;
    let ask = json!({"group_snapshot": {"group_id": group, "name": "n", "description": "d"}});
    let whole = id_of(&taken.put("group-snapshots-create", post("group_snapshots", ask).await)["group_snapshot"]);
    let path = format!("/v3/group_snapshots/{whole}");
    cloud.until_it(&format!("/volume{path}"), "group_snapshot", "available").await;
    taken.get("group-snapshots-show", &path).await;
    taken.get("group-snapshots-list", "/v3/group_snapshots").await;
    taken.get("group-snapshots-list-detailed", "/v3/group_snapshots/detail").await;
    let source = json!({"create-from-src": {"name": "n", "description": "d", "group_snapshot_id": whole}});
    taken.put("group-create-from-src", post("groups/action", source).await);
}

pub(super) async fn images(taken: &mut Taken, cloud: &Cloud) {
    let admin = cloud.admin();
    let ask = json!({"volume": {"size": 2, "imageRef": IMAGE}});
    let id = id_of(&admin.post("/volume/v3/volumes", ask).await.expect(202)["volume"]);
    cloud.until(&id, "available").await;
    let path = format!("/volume/v3/volumes/{id}/action");
    let set = json!({"os-set_image_metadata": {"metadata": {"ramdisk_id": "r", "kernel_id": "k"}}});
    taken.put("volume-image-metadata-update", admin.post(&path, set).await);
    taken.put("image-metadata-show", admin.post(&path, json!({"os-show_image_metadata": {}})).await);
    let upload = json!({"os-volume_upload_image": {"image_name": "copy"}});
    taken.put("volume_actions/volume-upload-to-image", admin.post(&path, upload).await);
}
