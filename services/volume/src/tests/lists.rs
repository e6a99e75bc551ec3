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
