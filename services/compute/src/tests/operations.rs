// SPDX-License-Identifier: Apache-2.0
//! What is done to a server, from outside: that it is given up in time, that the rows tell the truth, and that what was
//! under way before operations had a table goes on.

use std::time::Duration;

use serde_json::{Value, json};
use store::{Actor, Select, params};
use world::World;

use super::{Cloud, far::Far, far::Manner, snapshots::until_task};
use crate::{
    Patience,
    error::{Error, Result},
    server::{Server, row::COLUMNS, save::save, table},
};

async fn impatient(hosts: &[&str]) -> Cloud {
    let world = World::new(&[crate::ROOM.migrations(), placement::ROOM.migrations()]).await;
    let brief = Duration::from_millis(300);
    let patience = Patience { node: brief, build: brief, transfer: brief, ..Patience::default() };
    let mut cloud = Cloud::over(world, Far::new(None, hosts), patience).await;
    cloud.wake();
    // What took too long is found by a clock that comes every ten seconds: here it is rung for.
    let compute = std::sync::Arc::downgrade(&cloud.compute);
    tokio::spawn(async move {
        while let Some(compute) = compute.upgrade() {
            compute.bell.ring();
            drop(compute);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    cloud
}

/// How the latest action of this name ended, and why.
pub(super) async fn outcome(cloud: &Cloud, id: &str, action: &str) -> (Value, Value) {
    let path = format!("/compute/v2.1/servers/{id}/os-instance-actions");
    let actions = cloud.admin().get(&path).await.expect(200);
    let latest = actions["instanceActions"].as_array().unwrap().iter().find(|one| one["action"] == action).unwrap().clone();
    let shown = cloud.admin().get(&format!("{path}/{}", latest["request_id"].as_str().unwrap())).await.expect(200);
    (shown["instanceAction"]["events"][0]["result"].clone(), shown["instanceAction"]["message"].clone())
}

#[tokio::test]
async fn what_takes_too_long_is_given_up() {
    let cloud = impatient(&["h1"]).await;
    let id = cloud.create("web").await;
    cloud.until(&id, "ACTIVE").await;
    let action = format!("/compute/v2.1/servers/{id}/action");
    cloud.far.set_manner("h1", Manner::Sleeps);
    for (wish, task, name) in [
        (json!({"os-stop": null}), "powering-off", "stop"),
        (json!({"reboot": {"type": "SOFT"}}), "rebooting", "reboot"),
        (json!({"createImage": {"name": "late"}}), "image_snapshot", "createImage"),
        (json!({"pause": null}), "pausing", "pause"),
    ] {
        cloud.member().post(&action, wish).await.expect(202);
        until_task(&cloud, &id, json!(task)).await;
        let shown = until_task(&cloud, &id, Value::Null).await;
        assert_eq!(shown["status"], "ACTIVE", "{name}");
        let (result, message) = outcome(&cloud, &id, name).await;
        assert_eq!(result, "Error", "{name}");
        assert!(message.as_str().unwrap().starts_with("It was not done within"), "{name}: {message}");
    }
    cloud.member().post(&action, json!({"rescue": null})).await.expect(200);
    until_task(&cloud, &id, json!("rescuing")).await;
    until_task(&cloud, &id, Value::Null).await;
    assert_eq!(outcome(&cloud, &id, "rescue").await.0, "Error");
    assert_eq!(cloud.far.images(), []);
    // The host does not do afterwards what nobody waits for any more.
    cloud.far.set_manner("h1", Manner::Works);
    cloud.far.bring_back("h1");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(cloud.until(&id, "ACTIVE").await["OS-EXT-STS:power_state"], 1);
    cloud.member().post(&action, json!({"os-stop": null})).await.expect(202);
    cloud.until(&id, "SHUTOFF").await;

    cloud.far.set_manner("h1", Manner::Sleeps);
    let late = cloud.create("late").await;
    // What it may have made is given back first, and the host has to say so.
    until_task(&cloud, &late, Value::Null).await;
    cloud.far.set_manner("h1", Manner::Works);
    cloud.far.bring_back("h1");
    let shown = cloud.until(&late, "ERROR").await;
    assert!(shown["fault"]["message"].as_str().unwrap().contains("It was not done within"), "{}", shown["fault"]);
    for id in [id, late] {
        cloud.member().delete(&format!("/compute/v2.1/servers/{id}")).await.expect(204);
        cloud.until_gone(&id).await;
    }
    cloud.assert_clean().await;
}

#[tokio::test]
async fn a_change_on_old_facts_changes_nothing() {
    let cloud = Cloud::with_hosts(&["h1"]).await;
    let id = cloud.create("web").await;
    cloud.until(&id, "ACTIVE").await;
    let of = types::ServerId::new(id.as_str());
    let seen = cloud.store().read(move |tx| table::find(tx, &of)).await.unwrap().unwrap();
    let path = format!("/compute/v2.1/servers/{id}");
    cloud.member().put(&path, json!({"server": {"name": "shop"}})).await.expect(200);
    let change = move |tx: &mut store::Tx| -> Result<()> {
        let after = Server { name: "late".to_owned(), ..seen.clone() };
        save(tx, &Actor::system("test"), "server.update", &seen, after).map(drop)
    };
    let refused = cloud.store().write(change).await;
    assert!(matches!(refused, Err(Error::Store(store::Error::Conflict))), "{refused:?}");
    assert_eq!(cloud.member().get(&path).await.expect(200)["server"]["name"], "shop");
}

impl Cloud {
    /// The words in every row are those that the function makes of it. Answers the statuses that there were.
    pub(super) async fn assert_words(&self) -> Vec<String> {
        let servers = self.store().list(|tx| table::with_operations(tx, &Select::new("servers", COLUMNS))).await.unwrap();
        for server in &servers {
            let words = server.facts().words();
            let row = (server.status.as_str(), server.vm_state.as_str(), server.task_state.as_deref(), server.power_state);
            assert_eq!(row, (words.status, words.vm_state, words.task_state, words.power_state), "{:?}", server.facts());
        }
        servers.into_iter().map(|server| server.status).collect()
    }
}

#[tokio::test]
async fn the_row_and_the_function_agree() {
    let cloud = Cloud::with_hosts(&["h1", "h2"]).await;
    let mut ids = Vec::new();
    for name in ["runs", "stops", "reboots", "errs", "goes"] {
        let id = cloud.create(name).await;
        cloud.until(&id, "ACTIVE").await;
        ids.push(id);
    }
    let act = async |id: &str, wish: Value| {
        cloud.admin().post(&format!("/compute/v2.1/servers/{id}/action"), wish).await.expect(202);
    };
    act(&ids[1], json!({"os-stop": null})).await;
    cloud.until(&ids[1], "SHUTOFF").await;
    act(&ids[3], json!({"os-resetState": {"state": "error"}})).await;
    cloud.member().delete(&format!("/compute/v2.1/servers/{}", ids[4])).await.expect(204);
    cloud.until_gone(&ids[4]).await;
    cloud.far.set_manner("h1", Manner::Sleeps);
    cloud.far.set_manner("h2", Manner::Sleeps);
    act(&ids[2], json!({"reboot": {"type": "SOFT"}})).await;
    let id = cloud.create("begins").await;
    cloud.until(&id, "BUILD").await;
    let mut statuses = cloud.assert_words().await;
    statuses.sort();
    assert_eq!(statuses, ["ACTIVE", "BUILD", "DELETED", "ERROR", "REBOOT", "SHUTOFF"]);
}

/// Tables as they were before there were operations, with servers in every phase.
#[tokio::test]
async fn what_was_under_way_before_operations_goes_on() {
    let mut before = crate::ROOM.migrations();
    before.steps.to_mut().truncate(4);
    let world = World::new(&[before, placement::ROOM.migrations()]).await;
    let node = super::far::node_id("h1").to_string();
    let server = |id: &str, seq: i64, phase: &str, found: Option<&str>, reboots: i64, snapshot: Option<&str>| {
        let placed = ["spawning", "built"].contains(&phase).then(|| (node.clone(), "h1".to_owned())).unzip();
        let size = json!({"name": "m1.tiny", "vcpus": 1, "memory_mb": 512, "disk_gb": 1, "ephemeral_gb": 0, "swap_mb": 0, "extra_specs": {}});
        let image = json!({"sha512": "ab", "format": "qcow2", "size": 1, "virtual_size": 1, "arch": null});
        params![id, seq, id, phase, placed.0, placed.1, found, reboots, size, super::IMAGE, image, snapshot].to_vec()
    };
    let snapshot = json!({"image": {"id": "22222222-0000-4000-8000-000000000000", "owner": "p1", "name": "taken", "min_disk": 1, "min_ram": 1,
        "properties": {}, "user": "u", "roles": [], "request_id": "req-1"}, "stage": "asked"});
    let taken = snapshot.to_string();
    let rows = [
        server("a", 1, "scheduling", None, 0, None),
        server("b", 2, "spawning", None, 0, None),
        server("c", 3, "built", Some("running"), 0, None),
        server("d", 4, "built", Some("running"), 1, None),
        server("e", 5, "built", Some("running"), 0, Some(&taken)),
        server("f", 6, "failed", None, 0, None),
        server("g", 7, "failing", None, 0, None),
    ];
    let insert = move |tx: &mut store::Tx| -> store::Result<()> {
        for values in &rows {
            tx.execute(
                "INSERT INTO servers (id, seq, name, phase, node_id, host, found, reboots, flavor, image_id, image, snapshot, \
                 project_id, user_id, hostname, reservation_id, launch_index, created_at, updated_at, launched_at, generation, power, \
                 reboot_kind, host_is_forced, phase_at, tried, marked_error, found_generation, found_reboots, found_current, vcpus, \
                 memory_mb, flavor_id, config_drive, disk_config, metadata, tags, security_groups) VALUES ($1, $2, $3, $4, $5, $6, $7, \
                 $8, $9, $10, $11, $12, 'p1', 'u', 'h', 'r-1', 0, 1, 1, 1, 1, 'running', 'soft', 0, 1, '[]', 0, 1, 0, 1, 1, 512, \
                 'm1.tiny', 0, 'MANUAL', '{}', '[]', '[]')",
                values,
            )?;
            tx.execute("INSERT INTO server_claims (server_id, kind, position) VALUES ($1, 'allocation', 0)", &values[..1])?;
            if values[4] != store::Value::Null {
                tx.execute("INSERT INTO server_claims (server_id, kind, position) VALUES ($1, 'machine', 0)", &values[..1])?;
            }
        }
        Ok(())
    };
    world.store.write(insert).await.unwrap();
    world.store.migrate(&[crate::ROOM.migrations(), placement::ROOM.migrations()]).await.unwrap();

    let far = Far::new(None, &["h1"]);
    for id in ["c", "d", "e"] {
        far.put_machine("h1", id, 1);
    }
    let mut cloud = Cloud::over(world, far, Patience::default()).await;
    cloud.talk = cloud.talk.clone().version("compute 2.96");
    cloud.assert_words().await;
    cloud.wake();
    cloud.far.bring_back("h1");
    for (id, status) in [("a", "ACTIVE"), ("b", "ACTIVE"), ("c", "ACTIVE"), ("d", "ACTIVE"), ("f", "ERROR"), ("g", "ERROR")] {
        cloud.until(id, status).await;
    }
    until_task(&cloud, "e", Value::Null).await;
    assert!(cloud.far.images()[0].1, "the snapshot became an image");
    for id in ["a", "b", "c", "d", "e", "f", "g"] {
        cloud.admin().delete(&format!("/compute/v2.1/servers/{id}")).await.expect(204);
        cloud.until_gone(id).await;
    }
    cloud.assert_clean().await;
}
