// SPDX-License-Identifier: Apache-2.0
//! Conversations with the image room, with images that qemu-img made and headers that nobody should open.
#![allow(clippy::unwrap_used, clippy::panic)]

mod advisories;
mod attributes;
mod bucket;
mod containers;
mod conversion;
mod crash;
mod crowd;
mod imports;
mod kept;
mod key_by_key;
mod lists;
mod locations;
mod members;
mod metadefs;
mod personas;
mod quota;
mod reading;
mod snapshots;
mod stores;
mod upload;

use std::{path::Path, process::Command, time::Duration};

use serde_json::{Value, json};
use work::{Board, Tasks};
use world::{Talk, World};

use crate::{Image, Place, ROOM, Settings, StoreSettings, UploadLimits};

/// A room with two stores, whose reconciler runs, and which may fetch from 127.0.0.1.
pub struct Room {
    pub world: World,
    pub room: Image,
    pub talk: Talk,
    workers: Tasks,
}

pub fn settings(folder: &Path) -> Settings {
    let mut settings = Settings::in_folder(folder.join("images"));
    let second =
        StoreSettings { id: "slow".into(), description: String::new(), place: Place::Folder(folder.join("slow")), weight: -10 };
    settings.stores.push(second);
    settings.limits = UploadLimits { bytes: 1 << 20, ..Default::default() };
    let rules = web::Rules::public().any_port().allow("127.0.0.1/32".parse().unwrap());
    settings.web = web::Client::new(rules, web::Limits { bytes: 1 << 20, ..Default::default() });
    settings
}

pub async fn start() -> Room {
    start_with(|_| ()).await
}

pub async fn start_with(change: impl FnOnce(&mut Settings)) -> Room {
    let world = World::new(&[ROOM.migrations()]).await;
    let mut settings = settings(world.folder.path());
    change(&mut settings);
    let room = Image::open(world.store.clone(), settings).await.unwrap();
    let talk = world.talk(vec![room.service()], &ROOM.policies(), &ROOM.rules());
    let workers = workers_of(&room);
    Room { world, room, talk, workers }
}

/// The room's work under way, until this is dropped.
fn workers_of(room: &Image) -> Tasks {
    let mut tasks = nobody();
    room.spawn(&mut tasks);
    tasks
}

fn nobody() -> Tasks {
    Tasks::new(Board::default())
}

impl Room {
    /// As the process dies and another one begins over the same tables and folders.
    pub async fn restart(self) -> Self {
        self.workers.end().await;
        let settings = self.room.settings.as_ref().clone();
        let room = Image::open(self.world.store.clone(), settings).await.unwrap();
        let talk = self.world.talk(vec![room.service()], &ROOM.policies(), &ROOM.rules());
        let workers = workers_of(&room);
        Self { world: World { store: self.world.store.clone(), folder: self.world.folder }, room, talk, workers }
    }

    pub fn member(&self) -> Talk {
        self.talk.as_("member@p1")
    }

    pub fn admin(&self) -> Talk {
        self.talk.as_("admin")
    }

    /// Files in a store's folder, or in the staging area.
    pub fn files(&self, folder: &str) -> usize {
        let path = match folder {
            "slow" => self.world.folder.path().join("slow"),
            other => self.world.folder.path().join("images").join(other),
        };
        std::fs::read_dir(path).unwrap().count()
    }
}

pub fn qemu_img(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let path = folder.join("made.img");
    let _ = std::fs::remove_file(&path);
    let mut all = vec!["create", "-q"];
    all.extend(arguments);
    let name = path.to_str().unwrap();
    let place = all.iter().position(|argument| *argument == "FILE").unwrap();
    all[place] = name;
    assert!(Command::new("qemu-img").args(&all).status().unwrap().success());
    std::fs::read(&path).unwrap()
}

pub async fn create(talk: &Talk, format: &str) -> String {
    let made =
        talk.post("/image/v2/images", json!({"name": "i", "disk_format": format, "container_format": "bare"})).await.expect(201);
    made["id"].as_str().unwrap().to_owned()
}

pub async fn upload(talk: &Talk, id: &str, data: Vec<u8>) -> world::Said {
    talk.header("content-type", "application/octet-stream").send("PUT", &format!("/image/v2/images/{id}/file"), data).await
}

pub async fn stage(talk: &Talk, id: &str, data: Vec<u8>) -> world::Said {
    talk.header("content-type", "application/octet-stream").send("PUT", &format!("/image/v2/images/{id}/stage"), data).await
}

pub async fn show(talk: &Talk, id: &str) -> Value {
    talk.get(&format!("/image/v2/images/{id}")).await.expect(200)
}

pub async fn patch(talk: &Talk, id: &str, changes: Value) -> world::Said {
    talk.header("content-type", "application/openstack-images-v2.1-json-patch")
        .patch(&format!("/image/v2/images/{id}"), changes)
        .await
}

/// Waits until the image's only unfinished task is over, and answers its last one.
pub async fn task_of(talk: &Talk, id: &str) -> Value {
    for _ in 0..3000 {
        let tasks = talk.get(&format!("/image/v2/images/{id}/tasks")).await.expect(200);
        let last = tasks["tasks"].as_array().unwrap().last().cloned().unwrap_or(Value::Null);
        if matches!(last["status"].as_str(), Some("success" | "failure")) {
            return last;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the task of {id} does not end");
}

pub fn message(said: &Value) -> &str {
    said.as_str().unwrap_or_default()
}
