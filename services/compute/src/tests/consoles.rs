// SPDX-License-Identifier: Apache-2.0
//! Consoles, from the word to the websocket, over a real connection; the machine behind them shows what is typed.

use std::{sync::Arc, time::Duration};

use api::{Door, Listener};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use types::Timestamp;
use world::Talk;

use super::Cloud;

const DEADLINE: Duration = Duration::from_secs(20);

/// The door at an address, for as long as the test runs.
async fn open_door(door: Arc<Door>) -> String {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), None).await.unwrap();
    let address = listener.tcp.local_addr().unwrap().to_string();
    tokio::spawn(api::serve(listener, door, std::future::pending()));
    address
}

/// A client of a websocket.
struct Client {
    stream: TcpStream,
    head: String,
}

impl Client {
    async fn open(address: &str, target: &str, more: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match timeout(DEADLINE, stream.read_u8()).await.unwrap() {
                Ok(byte) => head.push(byte),
                Err(_) => break,
            }
        }
        Self { stream, head: String::from_utf8(head).unwrap().to_ascii_lowercase() }
    }

    fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    async fn say(&mut self, text: &str) {
        let mut frame = vec![0x82, 0x80 | text.len() as u8, 1, 2, 3, 4];
        frame.extend(text.bytes().zip([1, 2, 3, 4].into_iter().cycle()).map(|(byte, mask)| byte ^ mask));
        self.stream.write_all(&frame).await.unwrap();
    }

    /// The next frame: what it is and says. None at the end.
    async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let kind = timeout(DEADLINE, self.stream.read_u8()).await.expect("nothing is said any more").ok()?;
        let length = self.stream.read_u8().await.ok()?;
        assert!(length < 126);
        let mut content = vec![0; usize::from(length)];
        self.stream.read_exact(&mut content).await.ok()?;
        Some((kind, content))
    }

    async fn hears(&mut self, text: &str) {
        let mut heard = Vec::new();
        while heard.len() < text.len() {
            let (kind, content) = self.frame().await.expect("it has ended");
            assert_eq!(kind, 0x82, "{}", String::from_utf8_lossy(&content));
            heard.extend(content);
        }
        assert_eq!(String::from_utf8_lossy(&heard), text);
    }

    /// What is said at the end.
    async fn farewell(&mut self) -> (u16, String) {
        loop {
            let (kind, content) = self.frame().await.expect("it has ended without a word");
            if kind == 0x88 {
                let code = u16::from_be_bytes([content[0], content[1]]);
                return (code, String::from_utf8_lossy(&content[2..]).into_owned());
            }
        }
    }
}

async fn ask(talk: &Talk, server: &str, protocol: &str, kind: &str) -> world::Said {
    let body = json!({"remote_console": {"protocol": protocol, "type": kind}});
    talk.post(&format!("/compute/v2.1/servers/{server}/remote-consoles"), body).await
}

/// Where the websocket is, by the address that clients are given.
async fn target(talk: &Talk, server: &str, kind: &str) -> String {
    let protocol = if kind == "novnc" { "vnc" } else { kind };
    let answer = ask(talk, server, protocol, kind).await.expect(200);
    target_of(answer["remote_console"]["url"].as_str().unwrap())
}

fn target_of(url: &str) -> String {
    match url.strip_prefix("http://cloud.test/dashboard/console?path=") {
        Some(path) => format!("/{}", path.replace("%3F", "?").replace("%3D", "=")),
        None => url.strip_prefix("ws://cloud.test").unwrap().to_owned(),
    }
}

#[tokio::test]
async fn a_word_opens_its_console_once_and_bytes_go_both_ways() {
    let cloud = Cloud::with_hosts(&["one"]).await;
    let id = cloud.create("web").await;
    cloud.until(&id, "ACTIVE").await;
    let address = open_door(cloud.talk.door.clone()).await;
    let (member, old) = (cloud.member(), cloud.member().version("compute 2.1"));
    for (kind, greeting) in [("novnc", "Screen: "), ("serial", "Serial: ")] {
        let target = target(&member, &id, kind).await;
        let mut client = Client::open(&address, &target, "Sec-WebSocket-Protocol: binary\r\n").await;
        assert_eq!(client.status(), 101, "{}", client.head);
        assert!(client.head.contains("upgrade: websocket") && client.head.contains("sec-websocket-protocol: binary"));
        client.hears(greeting).await;
        client.say("hello").await;
        client.hears("hello").await;
        let again = Client::open(&address, &target, "").await;
        assert_eq!(again.status(), 403, "a word is good for once");
        assert!(again.head.contains("content-length: 0") && again.head.contains("connection: close"), "{}", again.head);
    }
    for (action, kind, greeting) in [("os-getVNCConsole", "novnc", "Screen: "), ("os-getSerialConsole", "serial", "Serial: ")] {
        let path = format!("/compute/v2.1/servers/{id}/action");
        let answer = old.post(&path, json!({action: {"type": kind}})).await.expect(200);
        assert_eq!(answer["console"]["type"], kind);
        let mut client = Client::open(&address, &target_of(answer["console"]["url"].as_str().unwrap()), "").await;
        assert_eq!(client.status(), 101);
        client.hears(greeting).await;
        member.post(&path, json!({action: {"type": kind}})).await.expect(400);
    }
}

#[tokio::test]
async fn another_origin_opens_no_console() {
    let cloud = Cloud::with_hosts(&["one"]).await;
    let id = cloud.create("web").await;
    cloud.until(&id, "ACTIVE").await;
    let address = open_door(cloud.talk.door.clone()).await;
    let target = target(&cloud.member(), &id, "novnc").await;
    for origin in ["http://evil.test", "null", "https://cloud.test", &format!("http://{address}.evil.test"), ""] {
        let client = Client::open(&address, &target, &format!("Origin: {origin}\r\n")).await;
        assert_eq!(client.status(), 403, "{origin:?}");
    }
    assert_eq!(Client::open(&address, &target, "Sec-WebSocket-Protocol: base64\r\n").await.status(), 403);
    let client = Client::open(&address, &target, &format!("Origin: http://{address}\r\n")).await;
    assert_eq!(client.status(), 101, "what was refused has not spent the word");
    let plain = cloud.talk.get(&target).await;
    assert_eq!(plain.status, 426);
}

#[tokio::test]
async fn a_word_is_worthless_when_its_server_or_its_bearer_is_not_what_they_were() {
    let cloud = Cloud::with_hosts(&["one"]).await;
    let address = open_door(cloud.talk.door.clone()).await;
    let opens = async |target: &str| Client::open(&address, target, "").await.status();
    let (stopped, deleted) = (cloud.create("stopped").await, cloud.create("deleted").await);
    for id in [&stopped, &deleted] {
        cloud.until(id, "ACTIVE").await;
    }
    let member = cloud.member();
    let (of_stopped, of_deleted) = (target(&member, &stopped, "novnc").await, target(&member, &deleted, "serial").await);
    let action = |id: &str| format!("/compute/v2.1/servers/{id}/action");
    member.post(&action(&stopped), json!({"os-stop": null})).await.expect(202);
    cloud.until(&stopped, "SHUTOFF").await;
    ask(&member, &stopped, "vnc", "novnc").await.expect(409);
    member.post(&action(&stopped), json!({"os-start": null})).await.expect(202);
    cloud.until(&stopped, "ACTIVE").await;
    assert_eq!(opens(&of_stopped).await, 403, "it was given for the machine that was stopped");
    member.delete(&format!("/compute/v2.1/servers/{deleted}")).await.expect(204);
    assert_eq!(opens(&of_deleted).await, 403);
    assert_eq!(opens("/console?token=bad").await, 403);
    assert_eq!(opens("/console").await, 403);

    let leaver = cloud.talk.as_("member@p1/leaver");
    let (before, while_open) = (target(&leaver, &stopped, "novnc").await, target(&leaver, &stopped, "novnc").await);
    let mut open = Client::open(&address, &while_open, "").await;
    open.hears("Screen: ").await;
    world::revoke("member@p1/leaver");
    assert_eq!(opens(&before).await, 403);
    let (code, reason) = open.farewell().await;
    assert_eq!((code, reason.contains("not good")), (1008, true), "{reason}");
    let rows = cloud.store().read(|tx| tx.query("SELECT hash FROM console_tokens", &[])).await.unwrap();
    assert_eq!(rows.len(), 1, "the one that was refused for its bearer");
}

#[tokio::test]
async fn consoles_are_refused_as_nova_refuses_them() {
    let cloud = Cloud::with_hosts(&["one"]).await;
    let id = cloud.create("web").await;
    cloud.until(&id, "ACTIVE").await;
    let member = cloud.member();
    for (protocol, kind, status) in [
        ("spice", "spice-html5", 400),
        ("rdp", "rdp-html5", 400),
        ("mks", "webmks", 400),
        ("vnc", "xvpvnc", 400),
        ("vnc", "serial", 400),
        ("telnet", "novnc", 400),
        ("vnc", "telnet", 400),
    ] {
        let said = ask(&member, &id, protocol, kind).await.expect(status);
        assert!(
            said["badRequest"]["message"].as_str().unwrap().contains(if kind == "telnet" { kind } else { "onsole" })
                || protocol == "telnet",
            "{said}"
        );
    }
    let spice = json!({"os-getSPICEConsole": {"type": "spice-html5"}});
    let old = member.version("compute 2.1");
    old.post(&format!("/compute/v2.1/servers/{id}/action"), spice).await.expect(400);
    old.post(&format!("/compute/v2.1/servers/{id}/remote-consoles"), json!({})).await.expect(404);
    ask(&member.version("compute 2.7"), &id, "mks", "webmks").await.expect(400);
    ask(&member, &id.replace(|_: char| true, "0"), "vnc", "novnc").await.expect(404);
    ask(&cloud.talk.as_("member@p2"), &id, "vnc", "novnc").await.expect(404);
    ask(&cloud.talk.as_("reader@p1"), &id, "vnc", "novnc").await.expect(403);
    member
        .post(&format!("/compute/v2.1/servers/{id}/remote-consoles"), json!({"remote_console": {"type": "novnc"}}))
        .await
        .expect(400);

    let word = target(&member, &id, "serial").await.split_once('=').unwrap().1.to_owned();
    let path = format!("/compute/v2.1/os-console-auth-tokens/{word}");
    member.get(&path).await.expect(403);
    let told = cloud.admin().get(&path).await.expect(200);
    let host = cloud.admin().get(&format!("/compute/v2.1/servers/{id}")).await.body["server"]["OS-EXT-SRV-ATTR:host"].clone();
    assert_eq!(told["console"], json!({"instance_uuid": id, "host": host, "port": 0, "internal_access_path": Value::Null}));
    cloud.admin().version("compute 2.30").get(&path).await.expect(400);
    cloud.admin().get("/compute/v2.1/os-console-auth-tokens/none").await.expect(404);
    cloud.far.lose("one", Timestamp::now());
    let refused = ask(&member, &id, "vnc", "novnc").await.expect(409);
    assert!(refused["conflictingRequest"]["message"].as_str().unwrap().contains("not connected"), "{refused}");
}

#[tokio::test]
async fn a_project_has_so_many_consoles_open_and_another_has_its_own() {
    let cloud = Cloud::with_hosts(&["one"]).await;
    let id = cloud.create("web").await;
    cloud.until(&id, "ACTIVE").await;
    let address = open_door(cloud.talk.door.clone()).await;
    let member = cloud.member();
    let mut open = Vec::new();
    for _ in 0..crate::CONSOLES_OF_A_PROJECT {
        let client = Client::open(&address, &target(&member, &id, "serial").await, "").await;
        assert_eq!(client.status(), 101);
        open.push(client);
    }
    let next = target(&member, &id, "serial").await;
    assert_eq!(Client::open(&address, &next, "").await.status(), 429);
    open.pop();
    let began = std::time::Instant::now();
    while Client::open(&address, &next, "").await.status() != 101 {
        assert!(began.elapsed() < DEADLINE, "a place that was left is not given again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Words that nobody uses do not pile up either.
    for _ in 0..40 {
        target(&member, &id, "novnc").await;
    }
    let rows = cloud.store().read(|tx| tx.query("SELECT hash FROM console_tokens", &[])).await.unwrap();
    assert_eq!(rows.len(), 32);
}
