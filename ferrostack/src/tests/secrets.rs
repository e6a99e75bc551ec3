// SPDX-License-Identifier: Apache-2.0
//! Every thing that holds a secret is made through the API, and then the stream of events is searched for each of them.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};

use super::served::Served;

/// Keys of answers whose values are secrets that the cloud made up.
const MADE_UP: [&str; 4] = ["secret", "adminPass", "private_key", "token"];

/// Collects what must not be found.
struct Searched<'a> {
    served: &'a Served,
    secrets: BTreeSet<String>,
}

impl Searched<'_> {
    /// Notes what this document says in secret.
    fn note(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    if let (true, Value::String(text)) = (MADE_UP.contains(&key.as_str()), value) {
                        self.secrets.insert(text.clone());
                    }
                    self.note(value);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.note(item)),
            Value::String(text) if text.contains("hunter2") => drop(self.secrets.insert(text.clone())),
            _ => {}
        }
    }

    async fn post(&mut self, path: &str, body: Value) -> Value {
        self.note(&body);
        let answer = self.served.admin.post(path, body).await.unwrap_or_else(|error| panic!("{path}: {error:#}"));
        self.note(&answer);
        answer
    }

    async fn put(&mut self, path: &str, body: Value) {
        self.note(&body);
        self.served.admin.put(path, body).await.unwrap_or_else(|error| panic!("{path}: {error:#}"));
    }

    async fn patch(&mut self, path: &str, body: Value) {
        self.note(&body);
        let answer = self.served.admin.patch(path, "application/json", body).await;
        answer.unwrap_or_else(|error| panic!("{path}: {error:#}"));
    }

    async fn people(&mut self) {
        let user = json!({"name": "holder", "password": "hunter2-first", "backup_password": "hunter2-of-his-own"});
        let user = self.post("/identity/v3/users", json!({ "user": user })).await;
        let id = user["user"]["id"].as_str().unwrap().to_owned();
        self.patch(&format!("/identity/v3/users/{id}"), json!({"user": {"password": "hunter2-second"}})).await;
        let change = json!({"user": {"original_password": "hunter2-second", "password": "hunter2-third"}});
        self.post(&format!("/identity/v3/users/{id}/password"), change).await;

        let me = self.served.admin.get("/identity/v3/users?name=admin").await.unwrap();
        let me = me["users"][0]["id"].as_str().unwrap().to_owned();
        let project = self.served.admin.get("/identity/v3/projects?name=admin").await.unwrap();
        let project = project["projects"][0]["id"].as_str().unwrap().to_owned();
        let credential = json!({"credential": {"type": "cert", "blob": "hunter2-blob", "user_id": me}});
        let credential = self.post("/identity/v3/credentials", credential).await;
        let path = format!("/identity/v3/credentials/{}", credential["credential"]["id"].as_str().unwrap());
        self.patch(&path, json!({"credential": {"blob": "hunter2-blob-again"}})).await;
        let seed = "NBUW45DFOIZHUNTERTWO";
        let totp = json!({"credential": {"type": "totp", "blob": seed, "user_id": me}});
        self.post("/identity/v3/credentials", totp).await;
        self.secrets.insert(seed.to_owned());
        for credential in [json!({"name": "chosen", "secret": "hunter2-chosen"}), json!({"name": "made up"})] {
            let path = format!("/identity/v3/users/{me}/application_credentials");
            self.post(&path, json!({"application_credential": credential})).await;
        }
        self.post(&format!("/identity/v3/users/{me}/credentials/OS-EC2"), json!({"tenant_id": project})).await;
        self.post("/identity/v3/OS-OAUTH1/consumers", json!({"consumer": {"description": "a consumer"}})).await;
        let ldap = json!({"config": {"ldap": {"url": "ldap://ldap.test", "password": "hunter2-ldap"}}});
        self.put("/identity/v3/domains/default/config", ldap).await;
    }

    async fn machines(&mut self) {
        self.post("/operator/v1/join-tokens", json!({})).await;
        self.post("/compute/v2.1/os-keypairs", json!({"keypair": {"name": "made-up"}})).await;
        let image = json!({"name": "disk", "disk_format": "raw", "container_format": "bare"});
        let image = self.post("/image/v2/images", image).await["id"].as_str().unwrap().to_owned();
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "the disk of a machine").unwrap();
        self.served.admin.upload(&format!("/image/v2/images/{image}/file"), file.path(), |_| {}).await.unwrap();
        let network = self.post("/network/v2.0/networks", json!({"network": {"name": "inside"}})).await;
        let subnet = json!({"network_id": network["network"]["id"], "ip_version": 4, "cidr": "10.0.0.0/24"});
        self.post("/network/v2.0/subnets", json!({ "subnet": subnet })).await;
        let flavor = json!({"flavor": {"name": "small", "ram": 64, "vcpus": 1, "disk": 1}});
        let flavor = self.post("/compute/v2.1/flavors", flavor).await;
        // "hunter2-data", as a client sends it.
        let data = "aHVudGVyMi1kYXRh";
        self.secrets.insert(data.to_owned());
        let server = json!({
            "name": "machine", "imageRef": image, "flavorRef": flavor["flavor"]["id"], "adminPass": "hunter2-admin",
            "user_data": data, "networks": [{"uuid": network["network"]["id"]}],
        });
        self.post("/compute/v2.1/servers", json!({ "server": server })).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_reaches_the_events() {
    let served = Served::start().await;
    let mut searched = Searched { served: &served, secrets: BTreeSet::new() };
    searched.people().await;
    searched.machines().await;
    // Those that were chosen, and five that the cloud made up.
    assert_eq!(searched.secrets.len(), 16, "{:?}", searched.secrets);

    let (mut after, mut kinds) = (0, BTreeSet::new());
    loop {
        let page = served.admin.get(&format!("/operator/v1/events?after={after}&limit=200")).await.unwrap();
        let events = page["events"].as_array().unwrap();
        for event in events {
            let text = event.to_string();
            for secret in &searched.secrets {
                // As it stands, and as it looks inside of a text.
                let inside = serde_json::to_string(secret).unwrap();
                assert!(!text.contains(secret.as_str()) && !text.contains(inside.trim_matches('"')), "{secret} is in {text}");
            }
            kinds.insert(event["resource_type"].as_str().unwrap().to_owned());
            after = event["id"].as_i64().unwrap();
        }
        if events.is_empty() {
            break;
        }
    }
    let expected =
        ["user", "credential", "application_credential", "oauth1_consumer", "domain_config", "keypair", "server", "node_token"];
    for kind in expected {
        assert!(kinds.contains(kind), "no event of a {kind} among {kinds:?}");
    }
    served.stop().await;
}
