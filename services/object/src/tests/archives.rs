// SPDX-License-Identifier: Apache-2.0
//! Files that come in an archive.

use std::io::Write;

use super::*;

fn head(name: &str, size: usize, kind: u8) -> Vec<u8> {
    let mut head = vec![0; 512];
    head[..name.len()].copy_from_slice(name.as_bytes());
    head[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    head[156] = kind;
    head[148..156].copy_from_slice(b"        ");
    let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
    head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    head
}

fn member(name: &str, data: &[u8], kind: u8) -> Vec<u8> {
    let mut member = head(name, data.len(), kind);
    member.extend_from_slice(data);
    member.resize(member.len().next_multiple_of(512), 0);
    member
}

fn archive(members: &[(&str, &[u8], u8)]) -> Vec<u8> {
    let mut archive: Vec<u8> = members.iter().flat_map(|(name, data, kind)| member(name, data, *kind)).collect();
    archive.resize(archive.len() + 1024, 0);
    archive
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

async fn send(talk: &Talk, path: &str, kind: &str, archive: Vec<u8>) -> serde_json::Value {
    let path = format!("{ACCOUNT}{path}?extract-archive={kind}&format=json");
    talk.header("content-length", &archive.len().to_string()).send("PUT", &path, archive).await.expect(200)
}

#[tokio::test]
async fn files_of_an_archive_become_objects_of_their_containers() {
    let it = start().await;
    let talk = it.member();
    let big = large(1);
    let long = format!("one/{}", "n".repeat(300));
    let mut files = member("././@LongLink", format!("{long}\0").as_bytes(), b'L');
    files.extend(archive(&[
        ("cut", b"long", b'0'),
        ("one/", b"", b'5'),
        ("one/a.txt", b"a", b'0'),
        ("./two/b/c.html", &big, b'0'),
        ("base", b"overlooked", b'0'),
        ("one/link", b"", b'2'),
    ]));
    for (kind, bytes) in [("tar", files.clone()), ("tar.gz", gzip(&files))] {
        let outcome = send(&talk, "", kind, bytes).await;
        assert_eq!(
            (&outcome["Number Files Created"], &outcome["Response Status"]),
            (&3.into(), &"201 Created".into()),
            "{outcome}"
        );
        assert_eq!(get(&talk, "one/a.txt").await.body.as_str().unwrap(), "a");
        let page = get(&talk, "two/b/c.html").await;
        assert_eq!((page.body.as_str().unwrap().as_bytes(), header(&page, "content-type")), (&*big, "text/html"));
        assert_eq!(get(&talk, &long).await.body.as_str().unwrap(), "long");
    }
    container(&talk, "web").await;
    let outcome = send(&talk, "/web/below", "tar", archive(&[("index.html", b"x", b'0')])).await;
    assert_eq!(outcome["Number Files Created"], 1, "{outcome}");
    get(&talk, "web/below/index.html").await.expect(200);
    talk.send("PUT", ACCOUNT, Vec::new()).await.expect(405);
    it.work_until_nothing_is_left().await;
    it.is_sound().await;
}

#[tokio::test]
async fn names_in_an_archive_are_names_of_objects_and_nothing_else() {
    let it = start().await;
    let talk = it.member();
    container(&talk, "c").await;
    let outcome =
        send(&talk, "/c", "tar", archive(&[("../../etc/x", b"1", b'0'), ("/abs", b"2", b'0'), ("a\nb: c", b"3", b'0')])).await;
    assert_eq!(outcome["Number Files Created"], 3, "{outcome}");
    for name in ["c/..%2F..%2Fetc%2Fx", "c/abs", "c/a%0Ab%3A%20c"] {
        get(&talk, name).await.expect(200);
    }
    // Of another's account, or of nobody's.
    let path = "/object-store/v1/AUTH_p2?extract-archive=tar";
    talk.send("PUT", path, archive(&[("c/x", b"1", b'0')])).await.expect(403);
    it.talk.send("PUT", &format!("{ACCOUNT}?extract-archive=tar"), archive(&[("c/x", b"1", b'0')])).await.expect(401);
    it.is_sound().await;
}

#[tokio::test]
async fn a_broken_or_endless_archive_is_told_and_leaves_what_was_whole() {
    let it = start().await;
    let talk = it.member();
    container(&talk, "c").await;
    let mut cut = archive(&[("a", b"1", b'0'), ("b", &large(1), b'0')]);
    cut.truncate(40_000);
    let said = talk.send("PUT", &format!("{ACCOUNT}/c?extract-archive=tar"), cut).await;
    assert_eq!(said.status, 400, "{}", said.body);
    get(&talk, "c/a").await.expect(200);
    get(&talk, "c/b").await.expect(404);
    for (kind, bytes) in
        [("tar", b"no archive".repeat(100)), ("tar.gz", b"no archive".to_vec()), ("tar", head("x", (1 << 33) - 1, b'0'))]
    {
        let path = format!("{ACCOUNT}/c?extract-archive={kind}&format=json");
        let said = talk.send("PUT", &path, bytes).await;
        assert!(said.status == 400 || said.body["Response Status"] == "400 Bad Request", "{kind}: {}", said.body);
    }
    // What becomes a thousand times as much counts for the quota as it comes out.
    talk.header("x-container-meta-quota-bytes", "1000000").send("POST", &format!("{ACCOUNT}/c"), Vec::new()).await.expect(204);
    let zeros = vec![0; 8_000_000];
    let outcome = send(&talk, "/c", "tar.gz", gzip(&archive(&[("zeros", &zeros, b'0'), ("after", b"1", b'0')]))).await;
    assert_eq!((&outcome["Number Files Created"], &outcome["Errors"][0][0]), (&1.into(), &"c/zeros".into()), "{outcome}");
    talk.send("PUT", &format!("{ACCOUNT}/c?extract-archive=zip"), Vec::new()).await.expect(400);
    it.work_until_nothing_is_left().await;
    it.is_sound().await;
}
