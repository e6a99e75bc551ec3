// SPDX-License-Identifier: Apache-2.0
//! The stock `openstack` client and the ways of proving who one is. It needs no host for machines.

use anyhow::{Context, Result, ensure};
use scenarios::{Cloud, OpenStack, text};
use serde_json::{Value, json};

/// Signs a request as clients of EC2 do, with the stock client's own signer; its description for `/v3/ec2tokens`.
const SIGN: &str = r#"
import datetime, json, sys
from keystoneclient.contrib.ec2.utils import Ec2Signer
access, secret = sys.argv[1:]
now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
request = {"access": access, "host": "cloud:8773", "verb": "GET", "path": "/services/Cloud", "params": {
    "Action": "DescribeInstances", "AWSAccessKeyId": access, "SignatureVersion": "2", "Timestamp": now}}
request["signature"] = Ec2Signer(secret).generate(request)
print(json.dumps(request))
"#;

/// Logs in with a password and a passcode (RFC 6238), and asks with openstacksdk who it is and what it may reach.
const SECOND_FACTOR: &str = r#"
import base64, hashlib, hmac, json, struct, sys, time
import openstack
from keystoneauth1 import session
from keystoneauth1.identity import v3
url, user, password, project, seed = sys.argv[1:]
counter = struct.pack(">Q", int(time.time()) // 30)
digest = hmac.new(base64.b32decode(seed), counter, hashlib.sha1).digest()
at = digest[-1] & 15
passcode = "%06d" % ((struct.unpack(">I", digest[at:at + 4])[0] & 0x7fffffff) % 1000000)
who = {"username": user, "user_domain_name": "Default"}
methods = [v3.PasswordMethod(password=password, **who), v3.TOTPMethod(passcode=passcode, **who)]
auth = v3.Auth(url, methods, project_name=project, project_domain_name="Default")
cloud = openstack.connection.Connection(session=session.Session(auth=auth), region_name="RegionOne")
token = cloud.identity.get("/auth/tokens", headers={"X-Subject-Token": cloud.auth_token}).json()["token"]
flavors = [flavor.name for flavor in cloud.compute.flavors()]
print(json.dumps({"methods": token["methods"], "user": cloud.current_user_id, "flavors": flavors}))
"#;

/// A consumer is given a role by the administrator (OAuth 1.0a) and comes with it, all by the stock client's own signer.
const CONSUMER: &str = r#"
import json, sys
import oauthlib.oauth1, requests
from keystoneauth1 import session
from keystoneauth1.extras import oauth1
from keystoneauth1.identity import v3
from keystoneclient.v3 import client
url, user, password, project = sys.argv[1:]
who = {"username": user, "password": password, "user_domain_name": "Default"}
own = session.Session(auth=v3.Password(url, project_name=project, project_domain_name="Default", **who))
keystone = client.Client(session=own)
consumer = keystone.oauth1.consumers.create(description="a console")
request = keystone.oauth1.request_tokens.create(consumer.id, consumer.secret, own.get_project_id())
roles = [role.id for role in keystone.roles.list(name="reader")]
verifier = keystone.oauth1.request_tokens.authorize(request.key, roles).oauth_verifier
access = keystone.oauth1.access_tokens.create(consumer.id, consumer.secret, request.key, request.secret, verifier)
def roles_of(token):
    answer = requests.get(url + "/auth/tokens", headers={"X-Auth-Token": token, "X-Subject-Token": token})
    return sorted(role["name"] for role in answer.json()["token"]["roles"])
auth = oauth1.V3OAuth1(url, consumer.id, consumer.secret, access.key, access.secret)
said = {"plugin": roles_of(session.Session(auth=auth).get_token())}
body = {"auth": {"identity": {"methods": ["oauth1"], "oauth1": {}}}}
for method in ["HMAC-SHA1", "HMAC-SHA256", "HMAC-SHA512", "PLAINTEXT"]:
    signer = oauthlib.oauth1.Client(consumer.id, consumer.secret, access.key, access.secret, signature_method=method)
    address, headers, _ = signer.sign(url + "/auth/tokens", http_method="POST")
    answer = requests.post(address, headers=headers, json=body)
    said[method] = roles_of(answer.headers["X-Subject-Token"]) if answer.status_code == 201 else answer.text
headers["Authorization"] = headers["Authorization"].replace("oauth_signature=\"", "oauth_signature=\"x")
said["forged"] = requests.post(address, headers=headers, json=body).status_code
keystone.oauth1.consumers.delete(consumer.id)
print(json.dumps(said))
"#;

#[test]
fn identity_walk() -> Result<()> {
    let cloud = Cloud::without_ovn()?;
    let walker = cloud.tenant("walker")?;
    let operator = OpenStack::new(&cloud.central, &cloud.admin)?;
    let tenant = OpenStack::new(&cloud.central, &walker)?;

    credentials(&operator, &tenant)?;
    let program = application_credential(&cloud, &tenant)?;
    ec2_keys(&cloud, &operator, &tenant, &program)?;
    trusts(&cloud, &operator, &tenant)?;
    limits(&operator, &tenant)?;
    endpoint_groups(&cloud, &operator, &tenant)?;
    system_scope(&cloud, &tenant)?;
    second_factor(&cloud, &operator, &tenant)?;
    cloud.passed()
}

/// `openstack credential …`
fn credentials(operator: &OpenStack, tenant: &OpenStack) -> Result<()> {
    let user = tenant.value("token issue", "user_id")?;
    let made = operator.json(&format!("credential create --type totp {user} GEZDGNBVGY3TQOJQ"))?;
    ensure!(made["type"] == "totp" && made["user_id"] == json!(user), "{made}");
    let id = text(&made["id"])?;
    operator.run(&format!("credential set --type cert --user {user} --data canary-certificate {id}"))?;
    let shown = tenant.json(&format!("credential show {id}"))?;
    ensure!(shown["blob"] == "canary-certificate" && shown["type"] == "cert", "{shown}");
    ensure!(tenant.json("credential list")?.as_array().map(Vec::len) == Some(1), "its own, and no other");
    tenant.run(&format!("credential delete {id}"))?;
    ensure!(operator.json(&format!("credential list --user {user}"))? == json!([]), "deleted, but still listed");
    Ok(())
}

/// `openstack application credential …`, and a client that logs in with one.
fn application_credential(cloud: &Cloud, tenant: &OpenStack) -> Result<OpenStack> {
    let restricted = log_in_with(cloud, &tenant.json("application credential create nightly")?)?;
    restricted.run("token issue")?;
    let refusal = restricted.refused("ec2 credentials create")?;
    ensure!(refusal.contains("403"), "{refusal}");
    ensure!(tenant.json("application credential list")?.to_string().contains("nightly"), "not listed");
    tenant.run("application credential delete nightly")?;
    let gone = restricted.refused("token issue")?;
    ensure!(gone.contains("404"), "{gone}");
    log_in_with(cloud, &tenant.json("application credential create --unrestricted --role reader program")?)
}

fn log_in_with(cloud: &Cloud, credential: &Value) -> Result<OpenStack> {
    let (id, secret) = (text(&credential["ID"])?, text(&credential["Secret"])?);
    let variables = [
        ("OS_AUTH_TYPE", "v3applicationcredential"),
        ("OS_APPLICATION_CREDENTIAL_ID", &id),
        ("OS_APPLICATION_CREDENTIAL_SECRET", &secret),
    ];
    OpenStack::logging_in_with(&cloud.central, &cloud.admin, &variables)
}

/// `openstack ec2 credentials …`, and what a signature is worth.
fn ec2_keys(cloud: &Cloud, operator: &OpenStack, tenant: &OpenStack, program: &OpenStack) -> Result<()> {
    let key = tenant.json("ec2 credentials create")?;
    let (access, user) = (text(&key["access"])?, tenant.value("token issue", "user_id")?);
    ensure!(key["user_id"] == json!(user), "{key}");
    let shown = tenant.json(&format!("ec2 credentials show {access}"))?;
    ensure!(shown["secret"] == key["secret"], "{shown}");
    ensure!(tenant.json("ec2 credentials list")?.as_array().map(Vec::len) == Some(1), "one key was made");
    ensure!(operator.json("ec2 credentials list")? == json!([]), "the operator has none");

    let refusal = program.refused("ec2 credentials create")?;
    ensure!(refusal.contains("403"), "a reader makes no keys: {refusal}");
    let worth = worth(cloud, tenant, &key)?;
    ensure!(worth["user"]["id"] == json!(user) && worth["project"]["name"] == "walker", "{worth}");

    tenant.run(&format!("ec2 credentials delete {access}"))?;
    ensure!(tenant.json("ec2 credentials list")? == json!([]), "deleted, but still listed");
    Ok(())
}

/// The token that a service gets for a signature with this key.
fn worth(cloud: &Cloud, tenant: &OpenStack, key: &Value) -> Result<Value> {
    let signed = tenant.python(SIGN, &[&text(&key["access"])?, &text(&key["secret"])?])?;
    let signed: Value = serde_json::from_str(&signed).context("a signed request")?;
    let path = "/identity/v3/ec2tokens";
    let anonymous = cloud.anonymous().ask("POST", path, &json!({"credentials": signed}))?;
    ensure!(anonymous.status == 401, "{anonymous}");
    Ok(cloud.admin.post(path, &json!({"credentials": signed}))?["token"].clone())
}

/// `openstack trust …`, and what a trustee can do and cannot.
fn trusts(cloud: &Cloud, operator: &OpenStack, tenant: &OpenStack) -> Result<()> {
    let (user, project) = (tenant.value("token issue", "user_id")?, tenant.value("token issue", "project_id")?);
    let trustee = operator.value("user create --password trustee-canary trustee", "id")?;
    let member = operator.value("role show member", "id")?;
    let made = tenant.json(&format!("trust create --project {project} --role {member} --impersonate {user} {trustee}"))?;
    let trust = text(&made["id"])?;
    ensure!(made["is_impersonation"] == true && made["redelegation_count"] == 0, "{made}");
    ensure!(tenant.json(&format!("trust show {trust}"))?["roles"][0]["name"] == "member", "its role is told");
    ensure!(tenant.json(&format!("trust list --trustor {user}"))?[0]["ID"] == json!(trust), "the trustor sees it");

    let variables = [
        ("OS_USERNAME", "trustee"),
        ("OS_PASSWORD", "trustee-canary"),
        ("OS_USER_DOMAIN_NAME", "Default"),
        ("OS_TRUST_ID", &trust),
    ];
    let by_trust = OpenStack::logging_in_with(&cloud.central, &cloud.admin, &variables)?;
    let token = by_trust.json("token issue")?;
    ensure!(token["user_id"] == json!(user) && token["project_id"] == json!(project), "in the trustor's name: {token}");
    let refusal = by_trust.refused("application credential create backdoor")?;
    ensure!(refusal.contains("403"), "{refusal}");

    tenant.run(&format!("trust delete {trust}"))?;
    let gone = by_trust.refused("token issue")?;
    ensure!(gone.contains("401"), "{gone}");
    Ok(())
}

/// `openstack registered limit …` and `openstack limit …`
fn limits(operator: &OpenStack, tenant: &OpenStack) -> Result<()> {
    let registered = operator.json("registered limit create --service nova --default-limit 10 --region RegionOne cores")?;
    let registered = text(&registered["id"])?;
    let limit = "limit create --project walker --service nova --region RegionOne --resource-limit 20 cores";
    let limit = text(&operator.json(limit)?["id"])?;
    ensure!(tenant.json("limit list")?[0]["Resource Limit"] == 20, "a project sees its own limits");
    ensure!(operator.json(&format!("limit set --resource-limit 30 {limit}"))?["resource_limit"] == 30, "it is another now");
    let refusal = operator.refused(&format!("registered limit delete {registered}"))?;
    ensure!(refusal.contains("403"), "a limit hangs on it: {refusal}");
    operator.run(&format!("limit delete {limit}"))?;
    operator.run(&format!("registered limit delete {registered}"))?;
    ensure!(operator.json("registered limit list")? == json!([]), "deleted, but still listed");
    Ok(())
}

/// `openstack endpoint group …`: the catalog of a project holds what it was given.
fn endpoint_groups(cloud: &Cloud, operator: &OpenStack, tenant: &OpenStack) -> Result<()> {
    let filters = cloud.home().join("filters.json");
    std::fs::write(&filters, r#"{"interface": "public"}"#)?;
    operator.run(&format!("endpoint group create publics {}", filters.display()))?;
    let interfaces = || -> Result<usize> {
        let nova = tenant.json("catalog show nova")?;
        nova["endpoints"].as_array().map(Vec::len).context("the service has endpoints")
    };
    ensure!(interfaces()? == 3, "nothing was given, so all are there");
    operator.run("endpoint group add project publics walker")?;
    ensure!(interfaces()? == 1, "the public ones only");
    ensure!(operator.json("endpoint group list --project walker")?[0]["Name"] == "publics", "it is told");
    operator.run("endpoint group remove project publics walker")?;
    operator.run("endpoint group delete publics")?;
    ensure!(interfaces()? == 3, "and all again");
    Ok(())
}

/// An administrator of the system, in no project: he sees what belongs to the whole cloud, and has no servers.
fn system_scope(cloud: &Cloud, tenant: &OpenStack) -> Result<()> {
    let account = cloud.admin.account()?;
    let variables = [
        ("OS_USERNAME", account.user.as_str()),
        ("OS_PASSWORD", &account.password),
        ("OS_USER_DOMAIN_NAME", "Default"),
        ("OS_SYSTEM_SCOPE", "all"),
    ];
    let system = OpenStack::logging_in_with(&cloud.central, &cloud.admin, &variables)?;
    let granted = system.json("role assignment list --system all --names")?;
    ensure!(granted.to_string().contains("admin@Default"), "{granted}");
    let reader = tenant.value("token issue", "user_id")?;
    system.run(&format!("role add --system all --user {reader} reader"))?;
    system.run(&format!("role remove --system all --user {reader} reader"))?;
    ensure!(system.json("endpoint list")?.as_array().is_some_and(|endpoints| !endpoints.is_empty()), "the catalog");
    let refusal = system.refused("server list")?;
    ensure!(refusal.contains("403") || refusal.contains("ndpoint"), "a server is in a project: {refusal}");
    Ok(())
}

/// A user who needs a passcode too: the password alone is a receipt, both are a token.
fn second_factor(cloud: &Cloud, operator: &OpenStack, tenant: &OpenStack) -> Result<()> {
    let seed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    let user = operator.value("user create --password factor-canary factor", "id")?;
    operator.run(&format!("role add --user {user} --project walker member"))?;
    operator.run(&format!("credential create --type totp {user} {seed}"))?;
    operator.run(&format!("user set --multi-factor-auth-rule password,totp --enable-multi-factor-auth {user}"))?;
    let variables = [
        ("OS_USERNAME", "factor"),
        ("OS_PASSWORD", "factor-canary"),
        ("OS_USER_DOMAIN_NAME", "Default"),
        ("OS_PROJECT_NAME", "walker"),
        ("OS_PROJECT_DOMAIN_NAME", "Default"),
    ];
    let half = OpenStack::logging_in_with(&cloud.central, &cloud.admin, &variables)?.refused("token issue")?;
    ensure!(half.contains("auth rules were satisfied"), "a password is not enough: {half}");
    let url = format!("{}/identity/v3", cloud.admin.url());
    let said = tenant.python(SECOND_FACTOR, &[&url, "factor", "factor-canary", "walker", seed])?;
    let said: Value = serde_json::from_str(&said).context("what the script says")?;
    ensure!(said["user"] == json!(user), "{said}");
    let methods = said["methods"].as_array().context("methods")?;
    ensure!(methods.contains(&json!("password")) && methods.contains(&json!("totp")), "{said}");
    ensure!(said["flavors"].as_array().is_some_and(|flavors| !flavors.is_empty()), "{said}");
    Ok(())
}

#[test]
fn consumer_of_oauth1() -> Result<()> {
    let cloud = Cloud::without_ovn()?;
    let operator = OpenStack::new(&cloud.central, &cloud.admin)?;
    let (url, account) = (format!("{}/identity/v3", cloud.admin.url()), cloud.admin.account()?);
    let said = operator.python(CONSUMER, &[&url, &account.user, &account.password, &account.project])?;
    let said: Value = serde_json::from_str(&said).context("what the script says")?;
    for way in ["plugin", "HMAC-SHA1", "HMAC-SHA256", "HMAC-SHA512", "PLAINTEXT"] {
        ensure!(said[way] == json!(["reader"]), "{way}: {said}");
    }
    ensure!(said["forged"] == 401, "{said}");
    cloud.passed()
}
