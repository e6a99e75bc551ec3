// SPDX-License-Identifier: Apache-2.0
//! The same in a bucket, of a service that checks every signature.

use bytes::Bytes;
use lab::ObjectStore;
use types::Secret;

use super::{behaviour, content, get, put};
use crate::Bucket;

fn bucket(store: &ObjectStore) -> s3::Bucket {
    let at = s3::BucketAt {
        endpoint: store.endpoint.clone(),
        bucket: ObjectStore::BUCKET.into(),
        region: "us-east-1".into(),
        style: s3::Style::Path,
        keys: s3::Keys { access: store.access.clone(), secret: Secret::new(store.secret.clone()) },
    };
    let limits = web::Limits { bytes: 1 << 30, ..web::Limits::default() };
    s3::Bucket::new(at, web::Client::new(web::Rules::everything(), limits)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_in_a_bucket_behave() {
    let store = ObjectStore::start().unwrap();
    let raw = bucket(&store);
    // Others may have things in the bucket, too.
    raw.put_bytes("others/thing", Bytes::from_static(b"theirs")).await.unwrap();
    let data = Bucket::new(raw.clone(), "objects/".into());
    data.check().await.unwrap();
    behaviour::all(&data).await;
    assert_eq!(raw.keys("").await.unwrap(), ["others/thing"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_others_changed_in_the_bucket_are_an_error() {
    let store = ObjectStore::start().unwrap();
    let raw = bucket(&store);
    let data = Bucket::new(raw.clone(), "objects/".into());
    let content = content(200_000, 4);
    let pieces = put(&data, "who", &content).await.unwrap();
    let key = raw.keys("objects/").await.unwrap().remove(0);
    let mut body = raw.get(&key, None).await.unwrap().bytes().await.unwrap().to_vec();
    let last = body.len() - 1;
    body[last] ^= 4;
    raw.put_bytes(&key, body.into()).await.unwrap();
    let error = get(&data, &pieces).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{error}");
}
