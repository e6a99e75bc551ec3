// SPDX-License-Identifier: Apache-2.0
//! The stock `openstack` client logs in with accounts that live elsewhere: an operator connects an OpenID Connect
//! provider with it, and the provider's people come by password, by client credentials, and with a token in hand.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
};

use anyhow::{Context, Result, ensure};
use lab::Host;
use oidc::{AccessTokens, CLIENT, Person, Provider, SECRET};
use scenarios::{Cloud, OpenStack};
use serde_json::{Value, json};

const PORT: u16 = 9000;
const PASSWORD: &str = "canary-password-of-anna";

#[test]
fn federated_login() -> Result<()> {
    let cloud = Cloud::without_ovn_and(settings)?;
    let own = cloud.central.underlay()?;
    let anna = Person {
        name: "anna",
        password: PASSWORD,
        claims: json!({"preferred_username": "Anna", "groups": ["staff", "night-shift"]}),
    };
    let provider = Provider::on(cloud.central.listen(SocketAddr::from((own, PORT)))?, vec![anna], AccessTokens::Signed);
    connect(&OpenStack::new(&cloud.central, &cloud.admin)?, &cloud.central, provider.issuer())?;

    let discovery = format!("{}/.well-known/openid-configuration", provider.issuer());
    let asking = [("OS_CLIENT_ID", CLIENT), ("OS_CLIENT_SECRET", SECRET), ("OS_DISCOVERY_ENDPOINT", &discovery)];
    let with_password = |password| [&asking[..], &[("OS_USERNAME", "anna"), ("OS_PASSWORD", password)]].concat();
    let anna = client(&cloud, "v3oidcpassword", &with_password(PASSWORD))?;
    let token = anna.json("token issue")?;
    let user = token["user_id"].as_str().context("a user's id")?;
    ensure!(user.len() == 64, "the user {user} is no shadow");
    ensure!(anna.value("federation project list", "Name")? == "hall", "the group's project is not listed");
    let operator = OpenStack::new(&cloud.central, &cloud.admin)?;
    ensure!(operator.value(&format!("user show {user}"), "name")? == "Anna");
    anna.refused("user list")?;

    let robot = client(&cloud, "v3oidcclientcredentials", &asking)?;
    ensure!(robot.json("token issue")?["user_id"].as_str().is_some_and(|id| id != user), "the client is the person");

    let bearer = provider.sign(&Value::Object(provider.claims_of("anna")));
    let bearer = client(&cloud, "v3oidcaccesstoken", &[("OS_ACCESS_TOKEN", &bearer)])?;
    ensure!(bearer.json("token issue")?["user_id"] == user, "the same person is another user");

    client(&cloud, "v3oidcpassword", &with_password("canary-guess"))?.refused("token issue")?;
    provider.rotate_keys();
    anna.run("token issue")?;
    operator.run("identity provider set --disable museum")?;
    anna.refused("token issue")?;
    cloud.passed()
}

/// What the operator writes into `ferrostack.toml`.
fn settings(central: &Host, own: Ipv4Addr) -> Result<String> {
    let secret = central.folder().join("client-secret");
    fs::write(&secret, format!("{SECRET}\n"))?;
    Ok(format!(
        r#"[[federation.oidc]]
identity_provider = "museum"
protocol = "openid"
issuer = "http://{own}:{PORT}"
client_id = "{CLIENT}"
client_secret_file = "{}"
"#,
        secret.display()
    ))
}

/// What the operator makes with the client.
fn connect(operator: &OpenStack, central: &Host, issuer: &str) -> Result<()> {
    operator.run("domain create museum")?;
    operator.run("group create --domain museum visitors")?;
    operator.run("project create hall")?;
    operator.run("role add --project hall --group visitors --group-domain museum reader")?;
    let staff = json!({"type": "groups", "any_one_of": ["staff"]});
    let program = json!({"type": "sub", "any_one_of": [CLIENT]});
    let visitors = json!({"group": {"name": "visitors", "domain": {"name": "museum"}}});
    let rules = json!([
        {"local": [{"user": {"name": "{0}"}}, visitors], "remote": [{"type": "OIDC-preferred_username"}, staff]},
        {"local": [{"user": {"name": "robot"}}, visitors], "remote": [program]},
    ]);
    let file = central.folder().join("rules.json");
    fs::write(&file, rules.to_string())?;
    operator.run(&format!("mapping create --rules {} people", file.display()))?;
    operator.run(&format!("identity provider create --domain museum --remote-id {issuer} museum"))?;
    operator.run("federation protocol create --identity-provider museum --mapping people openid")?;
    ensure!(operator.value("federation protocol show --identity-provider museum openid", "mapping")? == "people");
    Ok(())
}

/// The client of somebody who comes by the provider, for the project that the mapping leads to.
fn client(cloud: &Cloud, kind: &str, more: &[(&str, &str)]) -> Result<OpenStack> {
    let common = [
        ("OS_AUTH_TYPE", kind),
        ("OS_IDENTITY_PROVIDER", "museum"),
        ("OS_PROTOCOL", "openid"),
        ("OS_PROJECT_NAME", "hall"),
        ("OS_PROJECT_DOMAIN_NAME", "Default"),
    ];
    OpenStack::logging_in_with(&cloud.central, &cloud.admin, &[&common, more].concat())
}
