// SPDX-License-Identifier: Apache-2.0
//! A start beside what an earlier one left: on the same database, or not at all.

use std::{fs, path::PathBuf};

use store::{Actor, Event};
use tempfile::TempDir;

use super::served::configuration;
use crate::{config::Config, controller, home::Home, set_aside};

struct Cloud {
    home: Home,
    config: Config,
    _folder: TempDir,
}

impl Cloud {
    /// One that came up once, and is down now.
    async fn made() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().to_owned());
        home.ensure().unwrap();
        let mut config = configuration(&home);
        config.database.url = database::new_database(folder.path()).await;
        drop(controller::door_of_new_cloud(&home, &config).await.unwrap());
        let cloud = Self { home, config, _folder: folder };
        fs::write(cloud.blob(), "an image").unwrap();
        cloud
    }

    fn blob(&self) -> PathBuf {
        self.home.state.join("images/file").join("ab".repeat(64))
    }

    fn file(&self) -> Option<PathBuf> {
        self.config.database.url.strip_prefix("sqlite:").map(PathBuf::from)
    }

    /// Its file and what stands beside it.
    fn files(&self) -> Vec<PathBuf> {
        let Some(file) = self.file() else { return Vec::new() };
        ["", "-wal", "-shm"].iter().map(|suffix| PathBuf::from(format!("{}{suffix}", file.display()))).collect()
    }

    async fn refusal(&self) -> String {
        let opened = controller::door_of_new_cloud(&self.home, &self.config).await;
        let said = format!("{:#}", opened.err().expect("it came up"));
        assert_eq!(fs::read_to_string(self.blob()).unwrap(), "an image", "{said}");
        said
    }

    async fn comes_up(&self) {
        drop(controller::door_of_new_cloud(&self.home, &self.config).await.unwrap());
        assert_eq!(fs::read_to_string(self.blob()).unwrap(), "an image");
    }
}

/// The words that lead out.
fn assert_leads_out(said: &str) {
    for words in ["put it back from a backup", "ferrostack set-aside"] {
        assert!(said.contains(words), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_database_is_not_replaced_by_an_empty_one() {
    let mut cloud = Cloud::made().await;
    let url = cloud.config.database.url.clone();
    if let Some(file) = cloud.file() {
        let there = cloud.files().into_iter().filter(|file| file.exists());
        let away: Vec<_> = there.map(|file| (PathBuf::from(format!("{}.away", file.display())), file)).collect();
        away.iter().for_each(|(away, file)| fs::rename(file, away).unwrap());
        let said = cloud.refusal().await;
        assert!(said.contains("is not there, but of an earlier start there is database.json, secrets/fernet-keys"), "{said}");
        assert_leads_out(&said);
        assert!(!file.exists(), "an empty one was made");
        fs::write(&file, "").unwrap();
        let said = cloud.refusal().await;
        assert!(said.contains("is an empty file"), "{said}");
        assert_leads_out(&said);
        away.iter().for_each(|(away, file)| fs::rename(away, file).unwrap());
        cloud.comes_up().await;
    }
    // An empty database in its place, as after the wrong name was written into the settings.
    let other = tempfile::tempdir().unwrap();
    cloud.config.database.url = database::new_database(other.path()).await;
    drop(store::Store::open(&cloud.config.database.url).await.unwrap());
    let said = cloud.refusal().await;
    assert!(said.contains("has no tables"), "{said}");
    assert_leads_out(&said);
    // And one that is another cloud's.
    let store = store::Store::open(&cloud.config.database.url).await.unwrap();
    store.migrate(&[]).await.unwrap();
    drop(store);
    let said = cloud.refusal().await;
    assert!(said.contains("set database.url right"), "{said}");
    cloud.config.database.url = url;
    cloud.comes_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_database_is_refused_and_nothing_else_is_touched() {
    let cloud = Cloud::made().await;
    let Some(file) = cloud.file() else { return };
    // As a clean stop leaves it.
    controller::open_store(&cloud.home, &cloud.config).await.unwrap().checkpoint().await.unwrap();
    let sound = fs::read(&file).unwrap();
    let rest: Vec<PathBuf> = cloud.files().split_off(1);
    let put = |content: &[u8]| {
        fs::write(&file, content).unwrap();
        rest.iter().for_each(|file| drop(fs::remove_file(file)));
    };
    let mut flipped = sound.clone();
    for page in flipped.chunks_mut(4096).skip(4) {
        page[..900].fill(0xA5);
    }
    for (what, content) in
        [("is damaged", flipped), ("is damaged", sound[..sound.len() / 2].to_vec()), ("another format", b"text".repeat(999))]
    {
        put(&content);
        let said = cloud.refusal().await;
        assert!(said.contains(what), "{said}");
        assert_leads_out(&said);
        assert_eq!(fs::read(&file).unwrap().len(), content.len(), "{what}");
    }
    put(&sound);
    cloud.comes_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_copy_comes_up_and_says_that_it_is_one() {
    let cloud = Cloud::made().await;
    let Some(file) = cloud.file() else { return };
    let store = controller::open_store(&cloud.home, &cloud.config).await.unwrap();
    store.checkpoint().await.unwrap();
    drop(store);
    let yesterday = fs::read(&file).unwrap();
    let store = controller::open_store(&cloud.home, &cloud.config).await.unwrap();
    let event = Event {
        actor: Actor::system("test"),
        action: "thing.create".to_owned(),
        resource_type: "thing",
        resource_id: "a".to_owned(),
        project_id: None,
        before: None,
        after: None,
    };
    store.write(move |tx| tx.record(event.clone())).await.unwrap();
    drop(store);
    // That it came so far is noted at the latest when it opens again.
    drop(controller::open_store(&cloud.home, &cloud.config).await.unwrap());
    fs::write(&file, yesterday).unwrap();
    cloud.files().split_off(1).iter().for_each(|file| drop(fs::remove_file(file)));

    let store = controller::open_store(&cloud.home, &cloud.config).await.unwrap();
    assert_eq!(store.put_back().await.unwrap().unwrap().seen_by, "this controller");
    drop(store);
    cloud.comes_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lost_database_left_is_set_aside_by_the_operators_word() {
    let mut cloud = Cloud::made().await;
    let other = tempfile::tempdir().unwrap();
    cloud.config.database.url = database::new_database(other.path()).await;
    let _ = cloud.refusal().await;
    set_aside::run(&cloud.home, &set_aside::Arguments::without_asking()).unwrap();
    assert!(!cloud.blob().exists());
    cloud.home.ensure().unwrap();
    drop(controller::door_of_new_cloud(&cloud.home, &cloud.config).await.unwrap());
    let aside = fs::read_dir(&cloud.home.state).unwrap().flatten().map(|entry| entry.path());
    let mut aside = aside.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("set-aside-"));
    assert_eq!(fs::read_to_string(aside.next().unwrap().join("images/file").join("ab".repeat(64))).unwrap(), "an image");
}
