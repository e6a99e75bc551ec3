// SPDX-License-Identifier: Apache-2.0
//! Lists of servers: filters, pages, and what they cost.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::{Cloud, server};

fn names(list: &Value) -> Vec<&str> {
    list["servers"].as_array().unwrap().iter().map(|server| server["name"].as_str().unwrap()).collect()
}

async fn with_servers(count: u32) -> Cloud {
    let cloud = Cloud::asleep(&["h1"]).await;
    let quota = json!({"quota_set": {"instances": -1, "cores": -1, "ram": -1}});
    cloud.admin().put("/compute/v2.1/os-quota-sets/p1", quota).await.expect(200);
    // One request makes no more than so many.
    const AT_ONCE: u32 = 500;
    for first in (0..count).step_by(AT_ONCE as usize) {
        let mut body = server("web");
        body["server"]["min_count"] = json!(AT_ONCE.min(count - first));
        cloud.member().post("/compute/v2.1/servers", body).await.expect(202);
    }
    cloud
}

#[tokio::test]
async fn a_list_of_a_thousand_costs_what_a_list_of_ten_does() {
    let cloud = with_servers(1000).await;
    let member = cloud.member();
    let mut costs = Vec::new();
    for limit in [10, 1000] {
        let before = (cloud.store().statements(), cloud.far.asked_for_ports.load(Ordering::Relaxed));
        let list = member.get(&format!("/compute/v2.1/servers/detail?limit={limit}")).await.expect(200);
        assert_eq!(list["servers"].as_array().unwrap().len(), limit);
        let after = (cloud.store().statements(), cloud.far.asked_for_ports.load(Ordering::Relaxed));
        costs.push((after.0 - before.0, after.1 - before.1));
    }
    assert_eq!(costs[0], costs[1]);
    assert_eq!(costs[1], (2, 1), "the servers, their volumes, and one question to network");
}

#[tokio::test]
async fn pages_go_through_all_of_them_once() {
    let cloud = with_servers(7).await;
    let member = cloud.member();
    let mut seen = Vec::new();
    let mut path = "/compute/v2.1/servers?limit=3&sort_key=display_name&sort_dir=asc".to_owned();
    loop {
        let page = member.get(&path).await.expect(200);
        seen.extend(names(&page).into_iter().map(str::to_owned));
        match page["servers_links"][0]["href"].as_str() {
            Some(next) => path = next.strip_prefix("http://cloud.test").unwrap().to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, (1..=7).map(|n| format!("web-{n}")).collect::<Vec<_>>());
    member.get("/compute/v2.1/servers?marker=nope").await.expect(400);
    member.get("/compute/v2.1/servers?limit=-1").await.expect(400);
    member.get("/compute/v2.1/servers?sort_key=favourite").await.expect(400);
    member.get("/compute/v2.1/servers?colour=red").await.expect(400);
    member.version("compute 2.74").get("/compute/v2.1/servers?colour=red").await.expect(200);
}

#[tokio::test]
async fn filters() {
    let mut cloud = Cloud::asleep(&["h1"]).await;
    cloud.wake();
    let mut ids = Vec::new();
    for name in ["web-1", "Web-2", "db-instance-3"] {
        let id = cloud.create(name).await;
        cloud.until(&id, "ACTIVE").await;
        ids.push(id);
    }
    let action = format!("/compute/v2.1/servers/{}/action", ids[0]);
    cloud.member().post(&action, json!({"os-stop": null})).await.expect(202);
    cloud.until(&ids[0], "SHUTOFF").await;
    let (member, admin) = (cloud.member(), cloud.admin());
    let table: &[(&str, &[&str])] = &[
        ("status=ACTIVE", &["db-instance-3", "Web-2"]),
        ("status=active&status=shutoff", &["db-instance-3", "Web-2", "web-1"]),
        ("status=PAUSED", &[]),
        ("status=NONSENSE&status=ACTIVE", &["db-instance-3", "Web-2"]),
        ("name=web", &["Web-2", "web-1"]),
        ("name=%5E.*-instance-%5B0-9%5D%2B%24", &["db-instance-3"]),
        ("name=w.b", &["Web-2", "web-1"]),
        ("name=%25", &[]),
        ("flavor=m1.tiny", &["db-instance-3", "Web-2", "web-1"]),
        ("flavor=m1.nano", &[]),
        ("ip=10.0.0.2", &["Web-2"]),
        ("ip=%5E10.0.0.", &["db-instance-3", "Web-2", "web-1"]),
        ("ip=0.0.%5B13%5D", &["db-instance-3", "web-1"]),
        ("vm_state=stopped", &["web-1"]),
        ("power_state=1", &["db-instance-3", "Web-2"]),
        ("power_state=4", &["web-1"]),
        ("power_state=running", &[]),
        ("task_state=deleting", &[]),
        ("key_name=none", &[]),
        ("changes-since=2020-01-01T00:00:00Z", &["db-instance-3", "Web-2", "web-1"]),
        ("changes-before=2020-01-01T00:00:00Z", &[]),
        ("changes-since=2050-01-01T00:00:00%2B01:00", &[]),
        // What is not for tenants is passed over.
        ("host=h9", &["db-instance-3", "Web-2", "web-1"]),
        ("deleted=True", &["db-instance-3", "Web-2", "web-1"]),
    ];
    for (query, expected) in table {
        let list = member.get(&format!("/compute/v2.1/servers?{query}")).await.expect(200);
        assert_eq!(names(&list), *expected, "{query}");
    }
    assert_eq!(names(&admin.get("/compute/v2.1/servers?host=h9").await.expect(200)), [] as [&str; 0]);
    assert_eq!(names(&admin.get("/compute/v2.1/servers?host=h1").await.expect(200)).len(), 3);
    let everywhere = cloud.talk.as_("admin@p9");
    assert_eq!(names(&everywhere.get("/compute/v2.1/servers").await.expect(200)).len(), 0);
    assert_eq!(names(&everywhere.get("/compute/v2.1/servers?all_tenants=1").await.expect(200)).len(), 3);
    assert_eq!(names(&everywhere.get("/compute/v2.1/servers?all_tenants=1&project_id=p2").await.expect(200)).len(), 0);
    for query in ["status=WHATEVER", "name=%28", "changes-since=yesterday", "changes-since=2021-01-01&changes-before=2020-01-01"]
    {
        member.get(&format!("/compute/v2.1/servers?{query}")).await.expect(400);
    }
    member.version("compute 2.37").get("/compute/v2.1/servers?status=WHATEVER").await.expect(200);

    member.delete(&format!("/compute/v2.1/servers/{}", ids[1])).await.expect(204);
    cloud.until_gone(&ids[1]).await;
    assert_eq!(names(&member.get("/compute/v2.1/servers").await.expect(200)), ["db-instance-3", "web-1"]);
    let changed = member.get("/compute/v2.1/servers/detail?changes-since=2020-01-01T00:00:00Z&name=web-2").await.expect(200);
    assert_eq!(changed["servers"][0]["status"], "DELETED");
    member.get("/compute/v2.1/servers?status=DELETED").await.expect(403);
    assert_eq!(names(&admin.get("/compute/v2.1/servers?status=DELETED").await.expect(200)), ["Web-2"]);
    assert_eq!(names(&admin.get("/compute/v2.1/servers?deleted=1").await.expect(200)), ["Web-2"]);
}
