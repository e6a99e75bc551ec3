// SPDX-License-Identifier: Apache-2.0
//! The cache of images.

use std::{collections::HashSet, fs, time::Duration};

use contracts::node::MachineState;
use sha2::{Digest, Sha512};

use super::{cloud::Cloud, guest};
use crate::{image::ImageCache, link::Link};

#[tokio::test(flavor = "multi_thread")]
async fn images_in_use_outlive_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let name = |content: &[u8]| hex::encode(Sha512::digest(content));
    let contents: Vec<Vec<u8>> = (0..4).map(|number| vec![number; 1000]).collect();
    for (age, content) in contents.iter().enumerate() {
        let path = dir.path().join(name(content));
        fs::write(&path, content).unwrap();
        let used = std::time::SystemTime::now() - Duration::from_secs(1000 * (10 - age as u64));
        fs::File::options().write(true).open(&path).unwrap().set_modified(used).unwrap();
    }
    fs::write(dir.path().join("torn.partial"), "half").unwrap();
    let cache = ImageCache::open(dir.path().to_owned(), 1500, Link::new()).unwrap();
    let there = || contents.iter().map(|content| dir.path().join(name(content)).exists()).collect::<Vec<_>>();

    // There is room for one that is not in use. The first is the oldest, but a machine rests on it.
    cache.trim(HashSet::from([name(&contents[0])]), Duration::from_secs(600)).await.unwrap();
    assert_eq!(there(), [true, false, false, true]);
    // One that was used a moment ago may be a new machine's.
    cache.ensure(&name(&contents[3]), 1000).await.unwrap();
    let cache = ImageCache::open(dir.path().to_owned(), 0, Link::new()).unwrap();
    cache.trim(HashSet::new(), Duration::from_secs(600)).await.unwrap();
    assert_eq!(there(), [false, false, false, true]);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_several_machines_want_is_fetched_once() {
    let cloud = Cloud::start().await;
    let node = cloud.node("one").await;
    let id = cloud.facts("one").await.unwrap().id;
    let image = guest::obedient();
    let machines: Vec<_> = (0..3).map(|_| guest::machine(&cloud, &image)).collect();
    for machine in &machines {
        cloud.want(&id, machine);
    }
    for machine in &machines {
        cloud.rooms.state_when(&machine.server_id, MachineState::Running).await;
    }
    assert_eq!(*cloud.rooms.images_sent.lock().unwrap(), 1);
    node.stop().await;
}
