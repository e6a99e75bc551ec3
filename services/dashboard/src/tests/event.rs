// SPDX-License-Identifier: Apache-2.0
use serde_json::{Value, json};
use store::{Actor, Change, Event};

use super::{Cloud, browser::Browser};
use crate::EventLimits;

impl Cloud {
    /// Something happens to a thing.
    async fn happens(&self, kind: &'static str, id: &str, project: Option<&str>, user: Option<&str>) {
        let actor = Actor { user_id: user.map(str::to_owned), ..Actor::system("test") };
        let event = Event::of(&actor, format!("{kind}.create"), (kind, id), &Change::made(json!({"name": "secret"}))).unwrap();
        let event = match project {
            Some(project) => event.of_project(project),
            None => event,
        };
        self.store.write(move |tx| tx.record(event.clone())).await.unwrap();
    }
}

async fn whom(browser: &mut Browser) -> (String, String) {
    let session = browser.script("GET", "/dashboard/session", Value::Null).await.expect(200);
    let id = |of: &str| session["token"][of]["id"].as_str().unwrap().to_owned();
    (id("project"), id("user"))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_tenant_hears_of_his_own_things_only() {
    let cloud = Cloud::new().await;
    cloud.tenant("museum").await;
    let [mut demo, mut museum] = [cloud.signed_in("demo", "demo").await, cloud.signed_in("museum", "museum").await];
    let admin = cloud.signed_in("admin", "admin").await;
    let ((demo_project, demo_user), (museum_project, museum_user)) = (whom(&mut demo).await, whom(&mut museum).await);
    let mut listening = [demo.listen(&[]).await, museum.listen(&[]).await, admin.listen(&[]).await];
    for page in &mut listening {
        assert_eq!(page.next().await.unwrap().0, "open");
    }
    cloud.happens("server", "one", Some(&demo_project), Some(&museum_user)).await;
    cloud.happens("volume", "two", Some(&museum_project), None).await;
    cloud.happens("keypair", "three", None, Some(&demo_user)).await;
    cloud.happens("keypair", "four", None, Some(&museum_user)).await;
    cloud.happens("flavor", "five", None, Some(&demo_user)).await;
    let account = format!("/object-store/v1/AUTH_{demo_project}/c");
    assert_eq!(demo.api("PUT", &account, Value::Null).await.status, 201);
    cloud.happens("server", "last", Some(&demo_project), None).await;
    cloud.happens("server", "last", Some(&museum_project), None).await;
    let mut heard = Vec::new();
    for page in &mut listening[..2] {
        let mut things = Vec::new();
        loop {
            let (kind, id, data) = page.next().await.unwrap();
            assert!(kind == "change" && id.parse::<i64>().is_ok(), "{kind} {id}");
            assert!(!data.to_string().contains("secret"), "ids and kinds only: {data}");
            let thing = (data["type"].as_str().unwrap().to_owned(), data["id"].as_str().unwrap().to_owned());
            assert!(thing.1 == "three" || thing.1 == "four" || !data["project_id"].is_null());
            match thing.1.as_str() {
                "last" => break,
                _ => things.push(thing),
            }
        }
        heard.push(things);
    }
    let of = |kind: &str, id: &str| (kind.to_owned(), id.to_owned());
    assert_eq!(heard[0][..2], [of("server", "one"), of("keypair", "three")]);
    assert_eq!(
        heard[0].iter().map(|(kind, _)| kind.as_str()).filter(|kind| kind.starts_with("object")).count(),
        heard[0].len() - 2
    );
    assert!(heard[0].len() > 2, "a container is a thing, too: {heard:?}");
    assert_eq!(heard[1], [of("volume", "two"), of("keypair", "four")]);
    let mut all = Vec::new();
    while all.iter().filter(|id| *id == "last").count() < 2 {
        all.push(listening[2].next().await.unwrap().2["id"].as_str().unwrap().to_owned());
    }
    assert!(["one", "two", "three", "four", "five"].iter().all(|id| all.iter().any(|found| found == id)), "{all:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_token() {
    let cloud = Cloud::new().await;
    let mut demo = cloud.signed_in("demo", "demo").await;
    let (project, _) = whom(&mut demo).await;
    let mut page = demo.listen(&[]).await;
    assert_eq!(page.next().await.unwrap().0, "open");
    let old = demo.clone();
    demo.script("DELETE", "/dashboard/session", Value::Null).await.expect(204);
    cloud.happens("server", "after", Some(&project), None).await;
    assert_eq!(page.next().await.unwrap().0, "end", "nothing is told any more");
    assert!(page.next().await.is_none());
    assert_eq!(old.open("GET", "/dashboard/events", &[], Vec::new()).await.status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_hears_what_he_missed_or_that_he_missed_something() {
    let cloud = Cloud::new().await;
    let mut demo = cloud.signed_in("demo", "demo").await;
    let (project, _) = whom(&mut demo).await;
    let mut page = demo.listen(&[]).await;
    let (_, first, _) = page.next().await.unwrap();
    drop(page);
    for id in ["one", "two"] {
        cloud.happens("server", id, Some(&project), None).await;
    }
    let mut page = demo.listen(&[("last-event-id", &first)]).await;
    assert_eq!(page.next().await.unwrap().0, "open");
    let (_, at_one, one) = page.next().await.unwrap();
    assert_eq!((one["id"].as_str(), one["what"].as_str()), (Some("one"), Some("create")));
    let mut page = demo.listen(&[("last-event-id", &at_one)]).await;
    assert_eq!(page.next().await.unwrap().0, "open");
    assert_eq!(page.next().await.unwrap().2["id"], "two");
    // Of a database that was put back, or from before what is kept.
    for unknown in ["9000000000000000000", "0", "-5"] {
        let mut page = demo.listen(&[("last-event-id", unknown)]).await;
        let (kind, id, _) = page.next().await.unwrap();
        assert_eq!(kind, "gap", "{unknown}");
        assert!(id.parse::<i64>().unwrap() >= at_one.parse().unwrap());
    }
    let answer = demo.open("GET", "/dashboard/events", &[("last-event-id", "x")], Vec::new()).await;
    assert_eq!(answer.status(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_follows_so_many_streams_and_others_have_theirs() {
    let cloud = Cloud::at("http://cloud.test", EventLimits { streams: 3, streams_per_user: 2 }).await;
    let (demo, admin) = (cloud.signed_in("demo", "demo").await, cloud.signed_in("admin", "admin").await);
    // Another sign-in of the same person is the same person.
    let again = cloud.signed_in("demo", "demo").await;
    let first = demo.listen(&[]).await;
    let second = again.listen(&[]).await;
    let answer = demo.open("GET", "/dashboard/events", &[], Vec::new()).await;
    assert_eq!(answer.status(), 429);
    assert!(answer.headers().contains_key("retry-after"));
    let third = admin.listen(&[]).await;
    assert_eq!(admin.open("GET", "/dashboard/events", &[], Vec::new()).await.status(), 503);
    drop(first);
    demo.listen(&[]).await;
    drop((second, third));
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_keep_no_controller_from_stopping() {
    let cloud = Cloud::new().await;
    let demo = cloud.signed_in("demo", "demo").await;
    let mut page = demo.listen(&[]).await;
    assert_eq!(page.next().await.unwrap().0, "open");
    assert!(page.is_silent());
    cloud.stop.send(true).unwrap();
    assert!(page.next().await.is_none());
}
