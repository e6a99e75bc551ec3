// SPDX-License-Identifier: Apache-2.0
//! What is the operator's.

use serde_json::{Value, json};

use super::{Cloud, Taken, id_of};

pub(super) async fn types(taken: &mut Taken) {
    let admin = taken.admin.clone();
    let all = "/v3/types";
    let there = |path: &str| format!("/volume{path}");
    let ask = json!({"volume_type": {"name": "t", "description": "d", "os-volume-type-access:is_public": true,
        "extra_specs": {"capabilities": "gpu"}}});
    let made = taken.put("volume_type/volume-type-create", admin.post(&there(all), ask).await);
    let path = format!("{all}/{}", id_of(&made["volume_type"]));
    taken.get("volume_type/volume-type-show", &path).await;
    taken.get("volume_type/volume-type-default", &format!("{all}/default")).await;
    let change = json!({"volume_type": {"name": "u", "description": "e", "is_public": true}});
    taken.put("volume_type/volume-type-update", admin.put(&there(&path), change).await);
    taken.get("volume_type/volume-types-list", all).await;
    let more = json!({"extra_specs": {"key1": "v", "key2": "v"}});
    let specs = format!("{path}/extra_specs");
    taken.put("volume_type/volume-type-extra-specs-create-update", admin.post(&there(&specs), more).await);
    taken.get("volume_type/volume-type-all-extra-specs-show", &specs).await;
    taken.get("volume_type/volume-type-specific-extra-specs-show", &format!("{specs}/capabilities")).await;
    let item = admin.put(&there(&format!("{specs}/key1")), json!({"key1": "w"})).await;
    taken.put("volume_type/volume-type-specific-extra-specs-update", item);

    let hidden = json!({"volume_type": {"name": "h", "os-volume-type-access:is_public": false}});
    let hidden = id_of(&admin.post(&there(all), hidden).await.expect(200)["volume_type"]);
    let access = json!({"addProjectAccess": {"project": "p2"}});
    admin.post(&there(&format!("{all}/{hidden}/action")), access).await.expect(202);
    taken.get("volume_type/volume-type-access-list", &format!("{all}/{hidden}/os-volume-type-access")).await;

    let default = json!({"default_type": {"volume_type": "u"}});
    let set = admin.put("/volume/v3/default-types/p1", default).await;
    taken.put("set-default-type", set);
    taken.get("get-default-type", "/v3/default-types/p1").await;
    taken.get("get-default-types", "/v3/default-types").await;
    admin.delete("/volume/v3/default-types/p1").await.expect(204);

    let qos =
        json!({"qos_specs": {"name": "q", "consumer": "back-end", "availability": "100", "numberOfFailures": "0", "delay": "0"}});
    let made = taken.put("qos/qos-create", admin.post("/volume/v3/qos-specs", qos).await);
    let path = format!("/v3/qos-specs/{}", id_of(&made["qos_specs"]));
    taken.get("qos/qos-show", &path).await;
    taken.get("qos/qos-list", "/v3/qos-specs").await;
    taken.put("qos/qos-update", admin.put(&there(&path), json!({"qos_specs": {"delay": "1"}})).await);
}

pub(super) async fn quotas(taken: &mut Taken) {
    let admin = taken.admin.clone();
    let set = "/v3/os-quota-sets/p1";
    taken.get("quota_sets/quotas-show", set).await;
    taken.get("quota_sets/quotas-show-usage", &format!("{set}?usage=true")).await;
    taken.get("quota_sets/quotas-show-defaults", &format!("{set}/defaults")).await;
    let limits = json!({"quota_set": {"groups": 11, "volumes": 50, "backups": 4}});
    taken.put("quota_sets/quotas-update", admin.put(&format!("/volume{set}"), limits).await);
    let class = "/v3/os-quota-class-sets/default";
    let limits = json!({"quota_class_set": {"volumes": 50, "snapshots": 50}});
    let updated = admin.put(&format!("/volume{class}"), limits).await;
    for folder in ["", "quota_classes/"] {
        taken.get(&format!("{folder}quota-classes-show"), class).await;
        taken.put(&format!("{folder}quota-classes-update"), updated.clone());
    }
    taken.get("limits/limits-show", "/v3/limits").await;
}

pub(super) async fn hosts(taken: &mut Taken) {
    let admin = taken.admin.clone();
    let at = |verb: &str| format!("/volume/v3/os-services/{verb}");
    let one = json!({"host": "h1@disks", "binary": "cinder-volume"});
    let mut with_reason = one.clone();
    with_reason["disabled_reason"] = json!("noise");
    let disabled = admin.put(&at("disable"), one.clone()).await;
    let noted = admin.put(&at("disable-log-reason"), with_reason).await;
    taken.get_as("3.7", "services-list", "/v3/os-services").await;
    taken.get("os-services/v3.49/services-list", "/v3/os-services").await;
    let enabled = admin.put(&at("enable"), one).await;
    taken.put("services-disable", disabled.clone());
    taken.put("os-services/service-disable", disabled);
    taken.put("services-disable-log", noted.clone());
    taken.put("os-services/service-disable-log-reason", noted);
    taken.put("services-enable", enabled.clone());
    taken.put("os-services/service-enable", enabled);
    taken.get("hosts-list", "/v3/os-hosts").await;
    taken.get("hosts-get", "/v3/os-hosts/h2@disks").await;
    taken.get("pools-list-detailed", "/v3/scheduler-stats/get_pools?detail=true").await;
    taken.get("backend-capabilities", "/v3/capabilities/h2@disks").await;
}

pub(super) async fn the_rest(taken: &mut Taken, cloud: &Cloud) {
    let failing = cloud.admin().post("/volume/v3/volumes", json!({"volume": {"size": 300}})).await.expect(202);
    cloud.until(&id_of(&failing["volume"]), "error").await;
    let messages: Value = taken.get("messages-list", "/v3/messages").await;
    taken.get("messages-show", &format!("/v3/messages/{}", id_of(&messages["messages"][0]))).await;
    taken.get("availability-zone-list", "/v3/os-availability-zone").await;
    taken.get("extensions/extensions-list", "/v3/extensions").await;
    taken.get("resource-filters-list", "/v3/resource_filters").await;
    taken.get("versions/versions", "/").await;
    taken.get("versions/version-show", "/v3").await;
}
