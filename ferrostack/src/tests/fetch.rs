// SPDX-License-Identifier: Apache-2.0
//! `ferrostack image fetch` from a maker's site, played by a small web server, into a real image service.

use std::{
    collections::HashMap,
    fs,
    net::SocketAddr,
    process::Command,
    sync::{Arc, Mutex},
};

use clap::Parser;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::served::Served;
use crate::image::{FetchArguments, fetch_image};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    fetch: FetchArguments,
}

/// Paths and what is there now.
type Files = Arc<Mutex<HashMap<&'static str, Vec<u8>>>>;

async fn site(files: Files) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default();
            let found = files.lock().unwrap().get(path).cloned();
            let (status, body) = found.map_or(("404 Not Found", vec![]), |body| ("200 OK", body));
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            stream.write_all(&[head.into_bytes(), body].concat()).await.unwrap();
        }
    });
    address
}

fn qcow2(size: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image");
    let status = Command::new("qemu-img").args(["create", "-q", "-f", "qcow2"]).arg(&path).arg(size).status().unwrap();
    assert!(status.success());
    fs::read(path).unwrap()
}

fn list_of(image: &[u8]) -> Vec<u8> {
    format!("{}  tiny.qcow2\n", hex::encode(Sha256::digest(image))).into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_fetched_once_checked_and_followed_by_a_newer_one() {
    let served = Served::start().await;
    let first = qcow2("1M");
    let files: Files = Arc::default();
    let address = site(files.clone()).await;
    let put = |path, content| drop(files.lock().unwrap().insert(path, content));
    put("/tiny.qcow2", first.clone());
    put("/SUMS", list_of(&first));
    let folder = tempfile::tempdir().unwrap();
    let catalogue = folder.path().join("own.toml");
    let entry = format!(
        "[tiny-1]\ntitle = \"Tiny\"\nurl = \"http://{address}/tiny.qcow2\"\nchecksums = \"http://{address}/SUMS\"\n\
         distro = \"tiny\"\nversion = \"1\"\nuser = \"tina\"\n"
    );
    fs::write(&catalogue, entry).unwrap();
    let fetch = async |image: &str| {
        let line = Line::parse_from(["fetch", image, "--catalogue", catalogue.to_str().unwrap()]);
        fetch_image(&served.admin, &line.fetch, &folder.path().join("scratch")).await
    };
    let images = async |query: &str| {
        let found = served.admin.get(&format!("/image/v2/images?name=tiny-1{query}")).await.unwrap();
        found["images"].as_array().unwrap().clone()
    };

    assert!(fetch("tiny-2").await.unwrap_err().to_string().contains("which has tiny-1"));
    fetch("tiny-1").await.unwrap();
    let [image] = images("").await.try_into().unwrap();
    let expected = ("active", "public", "tiny", "tina", "linux");
    let text = |image: &Value, key: &str| image[key].as_str().unwrap_or_default().to_owned();
    let found = ["status", "visibility", "os_distro", "os_admin_user", "os_type"].map(|key| text(&image, key));
    assert_eq!([expected.0, expected.1, expected.2, expected.3, expected.4].map(str::to_owned), found);
    assert_eq!(image["virtual_size"], 1 << 20);

    fetch("tiny-1").await.unwrap();
    assert_eq!(images("").await.len(), 1, "a second run changes nothing");

    let second = qcow2("2M");
    put("/SUMS", list_of(&second));
    let error = fetch("tiny-1").await.unwrap_err();
    assert!(error.to_string().contains("its maker says"), "{error:#}");
    assert_eq!(images("").await, std::slice::from_ref(&image), "a wrong file leaves nothing");

    put("/tiny.qcow2", second);
    fetch("tiny-1").await.unwrap();
    let [newer] = images("").await.try_into().unwrap();
    assert_eq!(newer["virtual_size"], 2 << 20);
    let [older] = images("&os_hidden=true").await.try_into().unwrap();
    assert_eq!(older["id"], image["id"]);
    assert_eq!(fs::read_dir(folder.path().join("scratch")).unwrap().count(), 0);

    put("/SUMS", b"nothing".to_vec());
    assert!(format!("{:#}", fetch("tiny-1").await.unwrap_err()).contains("does not list tiny.qcow2"));
    fs::write(&catalogue, fs::read_to_string(&catalogue).unwrap().replace(&address.to_string(), "127.0.0.1:1")).unwrap();
    let error = format!("{:#}", fetch("tiny-1").await.unwrap_err());
    assert!(error.contains("Without a way to the Internet"), "{error}");
    served.stop().await;
}
