// SPDX-License-Identifier: Apache-2.0
//! A whole controller in this process, over HTTPS, spoken to by our own client.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};

use crate::{
    client::{Account, Client},
    config::Config,
    controller,
    home::Home,
    secrets,
};

/// On a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// Ports that were free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

pub fn configuration(home: &Home) -> Config {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (home.state.join("api.pem"), home.state.join("api.key"));
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mut config = Config::default();
    config.api.listen = (Ipv4Addr::LOCALHOST, free_port()).into();
    config.api.public_url = format!("https://127.0.0.1:{}", config.api.listen.port());
    (config.api.certificate, config.api.private_key) = (Some(certificate), Some(key));
    config.fleet.listen = (Ipv4Addr::LOCALHOST, free_port()).into();
    // No OVN here: networks are recorded, and the API answers all the same.
    config.network.run_ovn = false;
    config.network.northbound = Some(format!("unix:{}", home.state.join("no-nb.sock").display()));
    config.network.southbound = Some(format!("unix:{}", home.state.join("no-sb.sock").display()));
    config
}

async fn healthy(client: &Client) {
    let up = async {
        while client.get("/healthcheck").await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, up).await.expect("the controller answers");
}

/// A controller with its administrator's client.
pub(super) struct Served {
    pub admin: Client,
    config: Config,
    stop: oneshot::Sender<()>,
    running: JoinHandle<anyhow::Result<()>>,
    _folder: TempDir,
}

impl Served {
    pub async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().to_owned());
        home.ensure().unwrap();
        let mut config = configuration(&home);
        config.database.url = database::new_database(folder.path()).await;
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn({
            let (home, config) = (home.clone(), config.clone());
            async move { controller::run(&home, &config, async { drop(stopped.await) }).await }
        });
        let mut admin = Client::new(&config.public_url(), config.api.certificate.as_deref()).unwrap();
        healthy(&admin).await;
        let password = secrets::read(&home, secrets::ADMIN).unwrap();
        admin.log_in(&Account { user: "admin", password: password.reveal(), project: "admin" }).await.unwrap();
        Self { admin, config, stop, running, _folder: folder }
    }

    pub async fn stop(self) {
        self.stop.send(()).unwrap();
        timeout(PATIENCE, self.running).await.expect("the controller ends when told").unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_serves_over_https_and_tells_what_changed() {
    let served = Served::start().await;
    let (admin, config) = (&served.admin, &served.config);
    let mut stranger = Client::new(&config.public_url(), None).unwrap();
    assert!(stranger.get("/healthcheck").await.is_err(), "a client that does not know the certificate speaks to nobody");
    stranger = Client::new(&config.public_url(), config.api.certificate.as_deref()).unwrap();
    let wrong = Account { user: "admin", password: "wrong", project: "admin" };
    assert!(stranger.log_in(&wrong).await.unwrap_err().to_string().contains("log in as admin"));

    follow_a_change(admin).await;
    record_a_network_without_ovn(admin).await;

    let services = admin.get("/").await.unwrap();
    assert_eq!(services["services"]["compute"], format!("{}/compute", config.public_url()));
    let token = admin.post("/operator/v1/join-tokens", json!({})).await.unwrap();
    assert_eq!(token["join_token"]["addresses"], json!([config.fleet.listen.to_string()]));
    assert_eq!(admin.get("/operator/v1/nodes").await.unwrap()["nodes"], json!([]));

    served.stop().await;
}

async fn follow_a_change(admin: &Client) {
    let seen: Arc<Mutex<Vec<Value>>> = Arc::default();
    let filter = "/operator/v1/events?follow=true&after=now&resource_type=project";
    let watching = async {
        let keep = seen.clone();
        let _ = admin.follow(filter, move |line| keep.lock().unwrap().push(serde_json::from_str(line).unwrap())).await;
    };
    let changing = async {
        // The stream may begin a moment after we do; each name is a change of its own.
        for number in 0..500 {
            let project = json!({"project": {"name": format!("followed-{number}"), "description": "x"}});
            admin.post("/identity/v3/projects", project).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
            if !seen.lock().unwrap().is_empty() {
                return;
            }
        }
    };
    tokio::select! {
        () = watching => {}
        () = changing => {}
    }
    let events = seen.lock().unwrap();
    let event = events.first().expect("a change is told to whoever follows");
    assert_eq!((&event["action"], &event["resource_type"]), (&json!("project.create"), &json!("project")));
    assert!(event["request_id"].as_str().unwrap().starts_with("req-") && event["actor"]["name"] == "admin", "{event}");
    assert!(event["before"].is_null() && event["after"]["name"].as_str().unwrap().starts_with("followed-"), "{event}");
}

async fn record_a_network_without_ovn(admin: &Client) {
    let network = admin.post("/network/v2.0/networks", json!({"network": {"name": "n"}})).await.unwrap();
    let id = network["network"]["id"].as_str().unwrap();
    assert_eq!(admin.get(&format!("/network/v2.0/networks/{id}")).await.unwrap()["network"]["name"], "n");
}
