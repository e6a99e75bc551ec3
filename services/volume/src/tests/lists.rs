// SPDX-License-Identifier: Apache-2.0
//! Lists: filters, orders, pages.

use serde_json::{Value, json};

use super::Cloud;

fn names(answer: &Value) -> Vec<String> {
    answer["volumes"].as_array().unwrap().iter().map(|volume| volume["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn lists_are_filtered_sorted_and_cut_into_pages() {
    let cloud = Cloud::new().await;
    for (name, size) in [("a", 3), ("b", 1), ("c", 2)] {
        let id = cloud.begin(json!({"size": size, "name": name, "metadata": {"of": name, "k": "v"}})).await;
        cloud.until(&id, "available").await;
    }
    let get = async |query: &str| cloud.member().get(&format!("/volume/v3/volumes/detail?{query}")).await.expect(200);
    assert_eq!(names(&get("").await), ["c", "b", "a"]);
    assert_eq!(names(&get("sort=size:asc").await), ["b", "c", "a"]);
    assert_eq!(names(&get("sort_key=name&sort_dir=asc&limit=1&offset=1").await), ["b"]);
    assert_eq!(names(&get("metadata=%7B%27of%27%3A+%27b%27%7D").await), ["b"]);
    assert_eq!(names(&get("metadata=%7B%22k%22%3A%22v%22%7D&name=c").await), ["c"]);
    assert_eq!(names(&get("status=error").await), [] as [&str; 0]);
    assert_eq!(names(&get("bootable=false&availability_zone=nova").await).len(), 3);
    let first = get("sort=name:asc&limit=2&with_count=true").await;
    assert_eq!((names(&first).len(), &first["count"]), (2, &json!(3)));
    let next = first["volumes_links"][0]["href"].as_str().unwrap().trim_start_matches("http://cloud.test").to_owned();
    assert_eq!(names(&cloud.member().get(&next).await.expect(200)), ["c"]);
    let summary = cloud.member().get("/volume/v3/volumes/summary").await.expect(200);
    assert_eq!((&summary["volume-summary"]["total_size"], &summary["volume-summary"]["total_count"]), (&json!(6), &json!(3)));
}

#[tokio::test]
async fn each_filter_that_is_told_of_leaves_out_what_it_does_not_match() {
    let cloud = Cloud::new().await;
    let id = cloud.begin(json!({"size": 1, "name": "n", "metadata": {"a": "b"}})).await;
    cloud.until(&id, "available").await;
    cloud.snapshot(&id).await;
    cloud.admin().post("/volume/v3/attachments", json!({"attachment": {"volume_uuid": id}})).await.expect(200);
    let kind = cloud.admin().post("/volume/v3/group_types", json!({"group_type": {"name": "g"}})).await.expect(202);
    let ask = json!({"group": {"group_type": kind["group_type"]["id"], "volume_types": ["__DEFAULT__"]}});
    let group = cloud.admin().post("/volume/v3/groups", ask).await.expect(202)["group"]["id"].as_str().unwrap().to_owned();
    let in_group = cloud.begin(json!({"size": 1, "group_id": group})).await;
    cloud.until(&in_group, "available").await;
    let whole = json!({"group_snapshot": {"group_id": group}});
    cloud.admin().post("/volume/v3/group_snapshots", whole).await.expect(202);
    let failing = cloud.begin(json!({"size": 300})).await;
    cloud.until(&failing, "error").await;
    let told = cloud.member().get("/volume/v3/resource_filters").await.expect(200);
    assert_eq!(
        cloud.member().get("/volume/v3/resource_filters?resource=pool").await.expect(200)["resource_filters"][0]["resource"],
        "pool"
    );
    for of in told["resource_filters"].as_array().unwrap() {
        let (path, key) = match of["resource"].as_str().unwrap() {
            "pool" => ("scheduler-stats/get_pools", "pools"),
            "volume_type" => ("types", "volume_types"),
            "volume" => ("volumes", "volumes"),
            "snapshot" => ("snapshots", "snapshots"),
            "group" => ("groups", "groups"),
            "group_snapshot" => ("group_snapshots", "group_snapshots"),
            "attachment" => ("attachments", "attachments"),
            "message" => ("messages", "messages"),
            other => panic!("{other}"),
        };
        let admin = cloud.admin();
        let all = admin.get(&format!("/volume/v3/{path}")).await.expect(200)[key].clone();
        assert_ne!(all, json!([]), "{path}");
        for filter in of["filters"].as_array().unwrap() {
            let filter = filter.as_str().unwrap();
            let value = match filter {
                "metadata" | "extra_specs" => "%7B%22no%22%3A%22such%22%7D",
                "created_at" | "updated_at" => "lt:2001-01-01T00:00:00",
                "is_public" => "false",
                "size" => "77",
                "bootable" => "true",
                _ => "nosuch",
            };
            let kept = admin.get(&format!("/volume/v3/{path}?{filter}={value}")).await.expect(200)[key].clone();
            assert_eq!(kept, json!([]), "{path} by {filter}");
        }
    }
}
