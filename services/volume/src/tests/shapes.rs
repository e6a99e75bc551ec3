// SPDX-License-Identifier: Apache-2.0
//! Our answers beside the examples of Cinder's API reference, key by key: what those have, ours have.

use serde_json::{Value, json};

use super::{Cloud, id_of};

/// The keys of an object that the reference shows, and ours must have.
#[track_caller]
fn has(answer: &Value, keys: &[&str]) {
    let missing: Vec<&&str> = keys.iter().filter(|key| answer.get(**key).is_none()).collect();
    assert!(missing.is_empty(), "{missing:?} are missing in {answer:#}");
}

#[tokio::test]
async fn answers_have_every_key_of_the_reference() {
    let cloud = Cloud::new().await;
    let admin = cloud.admin();
    let get = async |path: &str| admin.get(&format!("/volume/v3/{path}")).await.expect(200);
    let id = cloud.volume(1).await;
    let snapshot = cloud.snapshot(&id).await;
    let volume = [
        "attachments",
        "availability_zone",
        "bootable",
        "consistencygroup_id",
        "created_at",
        "description",
        "encrypted",
        "id",
        "links",
        "metadata",
        "migration_status",
        "multiattach",
        "name",
        "os-vol-host-attr:host",
        "os-vol-mig-status-attr:migstat",
        "os-vol-mig-status-attr:name_id",
        "os-vol-tenant-attr:tenant_id",
        "replication_status",
        "size",
        "snapshot_id",
        "source_volid",
        "status",
        "updated_at",
        "user_id",
        "volume_type",
        "provider_id",
        "group_id",
        "service_uuid",
        "shared_targets",
        "cluster_name",
        "volume_type_id",
        "consumes_quota",
    ];
    has(&get(&format!("volumes/{id}")).await["volume"], &volume);
    has(&get("volumes/detail").await["volumes"][0], &volume);
    has(&get("volumes").await["volumes"][0], &["id", "name", "links"]);
    let shown = [
        "created_at",
        "description",
        "id",
        "metadata",
        "name",
        "os-extended-snapshot-attributes:progress",
        "os-extended-snapshot-attributes:project_id",
        "size",
        "status",
        "updated_at",
        "volume_id",
        "group_snapshot_id",
        "user_id",
        "consumes_quota",
    ];
    has(&get(&format!("snapshots/{snapshot}")).await["snapshot"], &shown);
    has(&get("snapshots/detail").await["snapshots"][0], &shown);
    let kind = ["id", "qos_specs_id", "name", "description", "os-volume-type-access:is_public", "is_public", "extra_specs"];
    has(&get("types").await["volume_types"][0], &kind);
    has(&get("types/default").await["volume_type"], &kind);
    let quotas = [
        "backup_gigabytes",
        "backups",
        "gigabytes",
        "gigabytes___DEFAULT__",
        "groups",
        "id",
        "per_volume_gigabytes",
        "snapshots",
        "snapshots___DEFAULT__",
        "volumes",
        "volumes___DEFAULT__",
    ];
    has(&get("os-quota-sets/p1").await["quota_set"], &quotas);
    has(&get("os-quota-sets/p1/defaults").await["quota_set"], &quotas);
    has(&get("os-quota-class-sets/default").await["quota_class_set"], &quotas);
    has(
        &get("limits").await["limits"]["absolute"],
        &[
            "totalSnapshotsUsed",
            "maxTotalBackups",
            "maxTotalVolumeGigabytes",
            "maxTotalSnapshots",
            "maxTotalBackupGigabytes",
            "totalBackupGigabytesUsed",
            "maxTotalVolumes",
            "totalVolumesUsed",
            "totalBackupsUsed",
            "totalGigabytesUsed",
        ],
    );
    has(&get("os-hosts").await["hosts"][0], &["service-status", "service", "zone", "service-state", "host_name", "last-update"]);
    has(
        &get("os-hosts/h2@disks").await["host"][0]["resource"],
        &["volume_count", "total_volume_gb", "total_snapshot_gb", "project", "host", "snapshot_count"],
    );
    has(&get("os-availability-zone").await["availabilityZoneInfo"][0], &["zoneState", "zoneName"]);
    let attachment = json!({"attachment": {"volume_uuid": id}});
    let made = admin.post("/volume/v3/attachments", attachment).await.expect(200)["attachment"].clone();
    let keys = ["status", "detached_at", "connection_info", "attached_at", "attach_mode", "instance", "volume_id", "id"];
    has(&get(&format!("attachments/{}", id_of(&made))).await["attachment"], &keys);
    let qos =
        admin.post("/volume/v3/qos-specs", json!({"qos_specs": {"name": "q", "consumer": "both", "k": "v"}})).await.expect(200);
    has(&qos["qos_specs"], &["specs", "consumer", "name", "id"]);
}
