// SPDX-License-Identifier: Apache-2.0
//! Against an S3 service that checks every signature.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::{io::Write, time::Duration};

use lab::ObjectStore;
use types::Secret;
use web::{Client, Limits, Rules};

use crate::{Bucket, BucketAt, Error, Keys, Style};

fn bucket(store: &ObjectStore, secret: &str) -> Bucket {
    let at = BucketAt {
        endpoint: store.endpoint.clone(),
        bucket: ObjectStore::BUCKET.into(),
        region: "us-east-1".into(),
        style: Style::Path,
        keys: Keys { access: store.access.clone(), secret: Secret::new(secret.to_owned()) },
    };
    let limits = Limits { bytes: 1 << 30, idle: Duration::from_secs(60), total: Duration::from_secs(120), ..Limits::default() };
    Bucket::new(at, Client::new(Rules::everything(), limits)).unwrap()
}

/// A file of so many bytes, of which no two parts are alike.
fn file(length: usize) -> (tempfile::NamedTempFile, Vec<u8>) {
    let content: Vec<u8> = (0..length).map(|at| (at >> 12) as u8 ^ (at as u8).wrapping_mul(31)).collect();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&content).unwrap();
    (file, content)
}

#[tokio::test(flavor = "multi_thread")]
async fn files_go_up_whole_and_come_back_in_parts() {
    let store = ObjectStore::start().unwrap();
    let bucket = bucket(&store, &store.secret);
    bucket.check().await.unwrap();
    // In one piece, in two, and nothing at all; the names hold what a signature could stumble over.
    for (key, length) in [("images/a b+c=ü", 5000), ("images/large", (16 << 20) + 12345), ("images/nothing", 0)] {
        let (file, content) = file(length);
        let mut sent = 0;
        bucket.put(key, file.path(), |bytes| sent += bytes).await.unwrap();
        assert_eq!((sent, bucket.size(key).await.unwrap()), (length as u64, Some(length as u64)), "{key}");
        let all = bucket.get(key, None).await.unwrap().bytes().await.unwrap();
        assert!(all == content, "{key}");
        if length > 0 {
            let part = bucket.get(key, Some(1000..=1999)).await.unwrap().bytes().await.unwrap();
            assert!(part == content[1000..2000], "{key}");
        }
    }
    let mut keys = bucket.keys("images/").await.unwrap();
    keys.sort();
    assert_eq!(keys, ["images/a b+c=ü", "images/large", "images/nothing"]);
    assert_eq!(bucket.keys("images/l").await.unwrap(), ["images/large"]);

    bucket.delete("images/large").await.unwrap();
    bucket.delete("images/large").await.unwrap();
    assert_eq!(bucket.size("images/large").await.unwrap(), None);
    assert!(matches!(bucket.get("images/large", None).await, Err(Error::NoSuchObject(key)) if key == "images/large"));
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_a_broken_upload_are_taken_away() {
    let store = ObjectStore::start().unwrap();
    let bucket = bucket(&store, &store.secret);
    for key in ["images/one", "images/two", "other/three"] {
        bucket.begin_upload(key).await.unwrap();
    }
    bucket.abandon_uploads("images/").await.unwrap();
    let left = bucket.list_uploads("").await.unwrap();
    assert_eq!(left.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["other/three"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_in_the_stores_words() {
    let store = ObjectStore::start().unwrap();
    let (file, _) = file(100);
    let error = bucket(&store, "not the secret").put("images/x", file.path(), |_| {}).await.unwrap_err();
    assert!(
        matches!(&error, Error::Answered { status, code, .. } if *status == 403 && code == "SignatureDoesNotMatch"),
        "{error}"
    );
    assert!(!error.to_string().contains("not the secret"));
    let at = |endpoint: &str| BucketAt {
        endpoint: endpoint.into(),
        bucket: "b".into(),
        region: "r".into(),
        style: Style::Host,
        keys: Keys { access: "a".into(), secret: Secret::new("s".into()) },
    };
    let client = || Client::new(Rules::everything(), Limits::default());
    for endpoint in ["", "s3.example.com", "ftp://s3.example.com", "https://s3.example.com/path", "https://u:p@s3.example.com"] {
        assert!(matches!(Bucket::new(at(endpoint), client()), Err(Error::Endpoint(_))), "{endpoint}");
    }
}
