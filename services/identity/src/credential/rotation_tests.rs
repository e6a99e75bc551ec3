// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]
//! The keys of credentials rotate while the process dies on the way, and while another controller goes on.

use std::{path::Path, process::Command, sync::Arc};

use access::Allowed;
use serde_json::json;
use store::{Actor, Store};
use types::{Secret, UserId};

use super::{Credential, TOTP};
use crate::{
    Identity, ROOM, Settings,
    body::Extra,
    power::Over,
    world::{World, bootstrap, open_room},
};

const FOLDER: &str = "IDENTITY_CRASH_FOLDER";
const DATABASE: &str = "IDENTITY_CRASH_DATABASE";
const SEED: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

async fn room_in(folder: &Path, database: &str) -> Arc<Identity> {
    let store = Store::open(database).await.unwrap();
    store.migrate(&[ROOM.migrations()]).await.unwrap();
    open_room(&store, folder, Settings::default()).await
}

async fn is_under_the_primary(room: &Identity) -> bool {
    let primary = room.credential_ring().primary_hash();
    let hashes = room.store.read(|tx| {
        let rows = tx.query("SELECT DISTINCT key_hash FROM credentials", &[])?;
        rows.iter().map(|row| row.get(0)).collect::<store::Result<Vec<String>>>()
    });
    hashes.await.unwrap() == [primary]
}

async fn world_with_a_seed() -> (World, UserId) {
    let world = World::new().await;
    let user = world.id("users", "demo").await;
    world.create("credentials", "credential", json!({"blob": SEED, "type": "totp", "user_id": user})).await;
    (world, user.into())
}

async fn assert_readable(room: &Identity, user: &UserId, when: &str) {
    let secrets = room.totp_secrets(user).await.unwrap_or_else(|error| panic!("{when}: {error}"));
    assert_eq!(secrets.iter().map(|secret| secret.reveal().as_str()).collect::<Vec<_>>(), [SEED], "{when}");
}

#[tokio::test]
#[ignore = "the test below runs it in a process of its own"]
async fn a_rotation_in_a_process_of_its_own() {
    let (Ok(folder), Ok(database)) = (std::env::var(FOLDER), std::env::var(DATABASE)) else { return };
    let room = room_in(Path::new(&folder), &database).await;
    let user = room.bootstrap(&bootstrap()).await.unwrap().user;
    let seed = Credential {
        id: "seed".into(),
        user_id: user,
        project_id: None,
        kind: TOTP.to_owned(),
        blob: Secret::new(SEED.to_owned()),
        extra: Extra::new(),
    };
    let (ring, allowed) = (room.credential_ring(), Allowed::for_work("test"));
    room.store
        .write(move |tx| super::table::create(tx, &ring, &allowed, &Over::for_work("test", seed.clone()), &Actor::system("test")))
        .await
        .unwrap();
    room.rotate_credential_keys().await.unwrap();
}

#[tokio::test]
async fn a_rotation_that_dies_loses_nothing_and_is_finished_by_the_next() {
    for point in ["identity.credential_keys.sealed_before", "identity.credential_keys.rotated", "identity.credential_keys.sealed"]
    {
        let folder = tempfile::tempdir().unwrap();
        let database = database::new_database(folder.path()).await;
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["credential::rotation_tests::a_rotation_in_a_process_of_its_own", "--exact", "--ignored"])
            .env("FERROSTACK_CRASH", point)
            .env(FOLDER, folder.path())
            .env(DATABASE, &database)
            .output()
            .unwrap();
        let signal = std::os::unix::process::ExitStatusExt::signal(&child.status);
        assert_eq!(signal, Some(6), "{point} was never passed: {}", String::from_utf8_lossy(&child.stdout));
        let room = room_in(folder.path(), &database).await;
        let user = room.bootstrap(&bootstrap()).await.unwrap().user;
        assert_readable(&room, &user, point).await;
        assert_eq!(is_under_the_primary(&room).await, point != "identity.credential_keys.rotated", "{point}");
        room.rotate_credential_keys().await.unwrap();
        assert_readable(&room, &user, point).await;
        assert!(is_under_the_primary(&room).await, "{point}");
    }
}

#[tokio::test]
async fn another_controller_reads_at_once_what_a_new_key_sealed() {
    let (world, user) = world_with_a_seed().await;
    let elsewhere = world.second_room().await;
    // Further than the key that was staged when this controller read them.
    for _ in 0..4 {
        elsewhere.rotate_credential_keys().await.unwrap();
        assert_readable(&world.room, &user, "after a rotation elsewhere").await;
    }
    assert!(is_under_the_primary(&world.room).await);
}
