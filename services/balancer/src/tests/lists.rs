// SPDX-License-Identifier: Apache-2.0
//! Lists: filters, order, pages, fields, tags.

use serde_json::{Value, json};

use super::{Cloud, SUBNET, id, path};

async fn names(cloud: &Cloud, query: &str) -> Vec<String> {
    let list = cloud.member().get(&path(&format!("loadbalancers{query}"))).await.expect(200)["loadbalancers"].clone();
    list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

async fn three() -> Cloud {
    let cloud = Cloud::asleep().await;
    for (name, tags) in [("a", json!(["red", "blue"])), ("b", json!(["red"])), ("c", json!([]))] {
        let ask = json!({"name": name, "vip_subnet_id": SUBNET, "tags": tags});
        cloud.make("loadbalancers", "loadbalancer", ask).await;
    }
    cloud
}

#[tokio::test]
async fn lists_are_narrowed_ordered_and_cut() {
    let cloud = three().await;
    assert_eq!(names(&cloud, "").await, ["a", "b", "c"]);
    assert_eq!(names(&cloud, "?name=b").await, ["b"]);
    assert_eq!(names(&cloud, "?sort=name:desc").await, ["c", "b", "a"]);
    assert_eq!(names(&cloud, "?provisioning_status=ACTIVE").await, [""; 0]);
    assert_eq!(names(&cloud, "?admin_state_up=true&vip_address=192.0.2.50&sort_key=name&sort_dir=asc").await, ["a", "b", "c"]);
    let says = |said: Value| said["faultstring"].as_str().unwrap().to_owned();
    assert!(says(cloud.member().get(&path("loadbalancers?colour=red")).await.expect(400)).contains("'colour'"));
    assert!(says(cloud.member().get(&path("loadbalancers?sort=colour")).await.expect(400)).contains("'colour'"));
    let one = cloud.member().get(&path("loadbalancers?fields=name&fields=id&name=a")).await.expect(200);
    assert_eq!(one["loadbalancers"][0].as_object().unwrap().keys().collect::<Vec<_>>(), ["id", "name"]);
}

#[tokio::test]
async fn lists_are_narrowed_by_tags() {
    let cloud = three().await;
    assert_eq!(names(&cloud, "?tags=red").await, ["a", "b"]);
    assert_eq!(names(&cloud, "?tags=red,blue").await, ["a"]);
    assert_eq!(names(&cloud, "?tags-any=blue,green").await, ["a"]);
    assert_eq!(names(&cloud, "?not-tags=red,blue").await, ["b", "c"]);
    assert_eq!(names(&cloud, "?not-tags-any=red,blue").await, ["c"]);
    assert_eq!(names(&cloud, "?tags=re").await, [""; 0], "a part of a tag is another tag");
}

#[tokio::test]
async fn pages_lead_to_each_other() {
    let cloud = three().await;
    let first = cloud.member().get(&path("loadbalancers?limit=2&sort=name:asc")).await.expect(200);
    let links = first["loadbalancers_links"].as_array().unwrap();
    assert_eq!((links.len(), &links[0]["rel"]), (1, &json!("next")));
    let next = links[0]["href"].as_str().unwrap().strip_prefix("http://cloud.test").unwrap();
    let second = cloud.member().get(next).await.expect(200);
    assert_eq!(second["loadbalancers"][0]["name"], "c");
    let back = second["loadbalancers_links"].as_array().unwrap().iter().find(|link| link["rel"] == "previous").unwrap();
    let back = back["href"].as_str().unwrap().strip_prefix("http://cloud.test").unwrap();
    let back = cloud.member().get(back).await.expect(200);
    assert_eq!(back["loadbalancers"], first["loadbalancers"]);
}

#[tokio::test]
async fn both_ways_to_write_the_version_lead_to_the_same() {
    let cloud = three().await;
    let one = cloud.member().get("/load-balancer/v2/lbaas/loadbalancers?name=a").await.expect(200);
    let again = cloud.show(&format!("loadbalancers/{}", id(&one["loadbalancers"][0])), "loadbalancer").await;
    assert_eq!(one["loadbalancers"][0], again);
    let versions = cloud.talk.get("/load-balancer/").await.expect(200)["versions"].clone();
    let versions = versions.as_array().unwrap();
    assert_eq!((versions.len(), &versions[30]["id"], &versions[30]["status"]), (31, &json!("v2.30"), &json!("CURRENT")));
}
