// SPDX-License-Identifier: Apache-2.0
//! Conversations with the object room, over real segments in a folder.
#![allow(clippy::unwrap_used, clippy::panic)]

mod archives;
mod copies;
mod crash;
mod forms;
mod grants;
mod history;
mod key_by_key;
mod large;
mod life;
mod lists;
mod reading;
mod refusals;
mod sites;
mod temp_url;
mod together;
mod waiting;

use std::{path::Path, sync::Arc, time::Duration};

use contracts::audit::Audit;
use segments::Segments;
use store::Store;
use work::{Board, Tasks};
use world::{Said, Talk, World};

use crate::{Objects, ROOM, Settings};

pub const ACCOUNT: &str = "/object-store/v1/AUTH_p1";

pub struct Room {
    pub world: World,
    pub room: Objects,
    pub talk: Talk,
}

pub async fn open(store: Store, folder: &Path) -> Objects {
    let data = Segments::open(folder.join("objects"), segments::Settings { keep_free: 0, ..Default::default() }).unwrap();
    let settings = Settings { grace: Duration::ZERO, ..Settings::default() };
    Objects::open(store, Arc::new(data), settings).await.unwrap()
}

pub async fn start() -> Room {
    let world = World::new(&[ROOM.migrations()]).await;
    let room = open(world.store.clone(), world.folder.path()).await;
    let talk = world.talk(vec![room.service()], &ROOM.policies(), &ROOM.rules());
    Room { world, room, talk }
}

impl Room {
    pub fn member(&self) -> Talk {
        self.talk.as_("member@p1")
    }

    /// What nobody asks for is done, until it is done.
    pub async fn work_until_nothing_is_left(&self) {
        let mut tasks = Tasks::new(Board::default());
        self.room.spawn(&mut tasks);
        for _ in 0..400 {
            let left = self.world.store.read(|tx| {
                let sql = "SELECT (SELECT COUNT(*) FROM object_released) + \
                           (SELECT COUNT(*) FROM object_objects WHERE delete_at IS NOT NULL)";
                tx.query_one(sql, &[])?.get::<i64>(0)
            });
            if left.await.unwrap() == 0 {
                tasks.end().await;
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("what shall go does not go");
    }

    /// Nothing is counted wrong, nothing lies there that nobody has.
    pub async fn is_sound(&self) {
        assert_eq!(self.room.audit().await.unwrap(), []);
    }
}

pub async fn container(talk: &Talk, name: &str) {
    talk.send("PUT", &format!("{ACCOUNT}/{name}"), Vec::new()).await.expect(201);
}

/// Puts an object.
pub async fn put(talk: &Talk, path: &str, data: Vec<u8>) -> Said {
    let length = data.len().to_string();
    talk.header("content-length", &length).send("PUT", &format!("{ACCOUNT}/{path}"), data).await
}

pub async fn get(talk: &Talk, path: &str) -> Said {
    talk.get(&format!("{ACCOUNT}/{path}")).await
}

pub fn header<'a>(said: &'a Said, name: &str) -> &'a str {
    said.headers.get(name).map_or("", |value| std::str::from_utf8(value.as_bytes()).unwrap())
}

/// More than lies in a row.
pub fn large(seed: u8) -> Vec<u8> {
    (0..100_000u32).map(|i| b'a' + u8::try_from((i + u32::from(seed)) % 25).unwrap()).collect()
}
