// SPDX-License-Identifier: Apache-2.0
//! What a cloud answers to those who mean ill, err, or have a broken machine: the right status, a sentence, nothing lost.

use std::{fs, time::Duration};

use anyhow::{Context, Result, ensure};
use scenarios::{Answer, Api, Cloud, id};
use serde_json::{Value, json};

const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// All on one controller without hosts, in order.
#[test]
fn bad_input() -> Result<()> {
    let mut cloud = Cloud::controller_alone()?;
    every_route_asks_for_a_token(&cloud)?;
    tokens_that_are_none(&cloud)?;
    bodies_that_are_none(&cloud)?;
    ids_of_nobody(&cloud)?;
    things_of_another_tenant(&cloud)?;
    huge_bodies(&cloud)?;
    logins_end(&mut cloud)?;
    cloud.passed()
}

/// `ferrostack routes` prints "METHOD path  access", with actions as a word of their own.
fn routes(cloud: &Cloud) -> Result<Vec<(String, String, String)>> {
    let printed = cloud.ferrostack(&cloud.central, &["routes"])?;
    let routes: Vec<_> = printed
        .lines()
        .filter_map(|line| {
            let (route, access) = line.rsplit_once("  ")?;
            let mut words = route.split_whitespace();
            Some((words.next()?.to_owned(), words.next()?.to_owned(), access.to_owned()))
        })
        .collect();
    ensure!(routes.len() > 150, "only {} routes were understood:\n{printed}", routes.len());
    Ok(routes)
}

fn every_route_asks_for_a_token(cloud: &Cloud) -> Result<()> {
    let anonymous = cloud.anonymous();
    for (method, path, access) in routes(cloud)? {
        // Swift looks where a copy shall go before it looks who asks.
        if access == "(public)" || method == "COPY" {
            continue;
        }
        let answer = anonymous.ask(&method, &filled(&path), &json!({}))?;
        ensure!(answer.status == 401, "without a token, {answer}");
    }
    Ok(())
}

/// A path with its variables filled in.
fn filled(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { NOBODY } else { part });
    parts.collect::<Vec<_>>().join("/")
}

fn tokens_that_are_none(cloud: &Cloud) -> Result<()> {
    let good = cloud.admin.token().context("the operator's token")?.to_owned();
    let mut forged = good.clone().into_bytes();
    let middle = forged.len() / 2;
    forged[middle] = if forged[middle] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged)?;
    for token in ["", "x", "gAAAAA", NOBODY, &good[..good.len() - 4], &forged] {
        expect(&cloud.admin.with_token(Some(token)).ask("GET", "/compute/v2.1/servers", &json!({}))?, 401)?;
    }
    let revoked = cloud.admin.log_in(cloud.admin.account()?)?;
    let token = revoked.token().context("a token")?.to_owned();
    let answer = cloud.admin.revoke(&token)?;
    expect(&answer, 204)?;
    expect(&revoked.ask("GET", "/compute/v2.1/servers", &json!({}))?, 401)?;

    let mut account = cloud.admin.account()?.clone();
    account.password = "canary-wrong".into();
    let refused = cloud.anonymous().log_in(&account).map(drop).map_err(|error| format!("{error:#}"));
    ensure!(refused.as_ref().is_err_and(|error| error.contains("401")), "a wrong password: {refused:?}");
    Ok(())
}

/// Not JSON, not an object, the wrong object, the wrong types: on every route that takes a body.
fn bodies_that_are_none(cloud: &Cloud) -> Result<()> {
    let bodies = [
        "{",
        "",
        "[]",
        "null",
        "\"text\"",
        "{}",
        "{\"server\": 7}",
        "{\"name\": {}}",
        "{\"a\":".repeat(200).leak(),
        "\u{0}\u{1}",
    ];
    for (method, path, _) in routes(cloud)? {
        if !matches!(method.as_str(), "POST" | "PUT" | "PATCH") {
            continue;
        }
        for body in bodies {
            let answer = cloud.admin.send(&method, &filled(&path), "application/json", body.into())?;
            ensure!(answer.status < 500, "{body:?} to {answer}");
        }
    }
    let mistakes = [
        ("/compute/v2.1/servers", json!({"server": {"name": 7, "flavorRef": "m1.nano", "imageRef": NOBODY, "networks": "none"}})),
        ("/compute/v2.1/servers", json!({"server": {"name": "a", "networks": "none"}})),
        ("/compute/v2.1/flavors", json!({"flavor": {"name": "a", "ram": "much", "vcpus": 1, "disk": 1}})),
        ("/compute/v2.1/os-keypairs", json!({"keypair": {"name": "a", "public_key": "no key"}})),
        ("/network/v2.0/networks", json!({"network": {"name": ["a"]}})),
        ("/network/v2.0/networks", json!({"network": {"colour": "red"}})),
        ("/network/v2.0/networks", json!({"network": {"name": "a\u{0}b"}})),
        ("/network/v2.0/subnets", json!({"subnet": {"network_id": NOBODY, "ip_version": 4, "cidr": "10.0.0.0/99"}})),
        ("/image/v2/images", json!({"name": 7})),
        ("/identity/v3/projects", json!({"project": {"name": ""}})),
        ("/identity/v3/auth/tokens", json!({"auth": {"identity": {"methods": "password"}}})),
    ];
    for (path, document) in mistakes {
        let answer = cloud.admin.ask("POST", path, &document)?;
        expect(&answer, 400)?;
        ensure!(message(&answer)?.len() > 10, "a 400 says what is wrong: {answer}");
    }
    Ok(())
}

/// The sentence in a service's fault, whatever its format.
fn message(answer: &Answer) -> Result<String> {
    fn longest(value: &Value) -> &str {
        match value {
            Value::String(text) => text,
            Value::Array(parts) => parts.iter().map(longest).max_by_key(|text| text.len()).unwrap_or_default(),
            Value::Object(parts) => parts.values().map(longest).max_by_key(|text| text.len()).unwrap_or_default(),
            _ => "",
        }
    }
    match answer.json() {
        Ok(document) => Ok(longest(&document).to_owned()),
        Err(_) => Ok(answer.text()),
    }
}

fn ids_of_nobody(cloud: &Cloud) -> Result<()> {
    let odd = [NOBODY, "x", "..%2f..%2fetc", "%00", "'%20OR%201=1--", "%F0%9F%92%A9", &"9".repeat(300)];
    for (method, path, _) in routes(cloud)? {
        if !path.contains('{') || !matches!(method.as_str(), "GET" | "DELETE" | "HEAD") {
            continue;
        }
        for name in odd {
            let path: Vec<_> = path.split('/').map(|part| if part.starts_with('{') { name } else { part }).collect();
            let answer = cloud.admin.ask(&method, &path.join("/"), &json!({}))?;
            ensure!(answer.status < 500, "{answer}");
            ensure!(answer.status >= 400 || answer.body.len() < 100_000, "{answer}");
        }
    }
    for path in [
        "/compute/v2.1/servers",
        "/compute/v2.1/flavors",
        "/network/v2.0/networks",
        "/network/v2.0/subnets",
        "/network/v2.0/ports",
        "/network/v2.0/routers",
        "/network/v2.0/floatingips",
        "/network/v2.0/security-groups",
        "/image/v2/images",
        "/identity/v3/projects",
        "/identity/v3/users",
    ] {
        expect(&cloud.admin.ask("GET", &format!("{path}/{NOBODY}"), &json!({}))?, 404)?;
        expect(&cloud.admin.ask("DELETE", &format!("{path}/{NOBODY}"), &json!({}))?, 404)?;
    }
    Ok(())
}

/// Each kind of thing of one tenant, asked for by another: as if it were not there.
fn things_of_another_tenant(cloud: &Cloud) -> Result<()> {
    let (owner, stranger) = (cloud.tenant("owner")?, cloud.tenant("stranger")?);
    let network = owner.make_network("private")?;
    let subnet = owner.make_subnet(&network, "10.0.0.0/24")?;
    let port = id(&owner.make_port(json!({"network_id": network}))?)?;
    let router = id(&owner.post("/network/v2.0/routers", &json!({"router": {"name": "private"}}))?["router"])?;
    let group = id(&owner.post("/network/v2.0/security-groups", &json!({"security_group": {"name": "g"}}))?["security_group"])?;
    let image = id(&owner.post(
        "/image/v2/images",
        &json!({"name": "private", "disk_format": "raw", "container_format": "bare", "visibility": "private"}),
    )?)?;
    owner.make_keypair("private", lab::KeyPair::generate(cloud.lab.folder(), "private")?.public())?;
    let server = owner.post(
        "/compute/v2.1/servers",
        &json!({"server": {"name": "private", "imageRef": raw_image(&owner)?, "flavorRef": "m1.nano", "networks": "none"}}),
    )?;
    let server = id(&server["server"])?;
    let things = [
        ("/network/v2.0/networks", "network", &network),
        ("/network/v2.0/subnets", "subnet", &subnet),
        ("/network/v2.0/ports", "port", &port),
        ("/network/v2.0/routers", "router", &router),
        ("/network/v2.0/security-groups", "security_group", &group),
        ("/image/v2/images", "image", &image),
        ("/compute/v2.1/servers", "server", &server),
    ];
    for (place, word, thing) in things {
        let path = format!("{place}/{thing}");
        expect(&owner.ask("GET", &path, &json!({}))?, 200)?;
        expect(&stranger.ask("GET", &path, &json!({}))?, 404)?;
        expect(&stranger.ask("DELETE", &path, &json!({}))?, 404)?;
        let listed = stranger.get(place)?.to_string();
        ensure!(!listed.contains(thing.as_str()), "a stranger sees a {word} in {listed}");
        expect(&owner.ask("GET", &path, &json!({}))?, 200)?;
    }
    expect(&stranger.ask("GET", "/compute/v2.1/os-keypairs/private", &json!({}))?, 404)?;
    let action = format!("/compute/v2.1/servers/{server}/action");
    expect(&stranger.ask("POST", &action, &json!({"os-stop": null}))?, 404)?;
    let theirs = json!({"port": {"network_id": network}});
    expect(&stranger.ask("POST", "/network/v2.0/ports", &theirs)?, 404)?;
    let theirs = json!({"server": {"name": "s", "imageRef": image, "flavorRef": "m1.nano", "networks": [{"uuid": network}]}});
    let answer = stranger.ask("POST", "/compute/v2.1/servers", &theirs)?;
    ensure!((400..500).contains(&answer.status), "{answer}");
    // Only the operator may ask the operator's questions.
    for path in ["/operator/v1/audit", "/operator/v1/events", "/operator/v1/nodes", "/compute/v2.1/os-hypervisors"] {
        expect(&stranger.ask("GET", path, &json!({}))?, 403)?;
    }
    Ok(())
}

/// A small raw image of one's own, uploaded.
fn raw_image(owner: &Api) -> Result<String> {
    let ask = json!({"name": "raw", "disk_format": "raw", "container_format": "bare"});
    let image = id(&owner.post("/image/v2/images", &ask)?)?;
    let answer =
        owner.send("PUT", &format!("/image/v2/images/{image}/file"), "application/octet-stream", vec![7; 65536].into())?;
    expect(&answer, 204)?;
    Ok(image)
}

fn huge_bodies(cloud: &Cloud) -> Result<()> {
    let huge = format!("{{\"server\": {{\"name\": \"{}\"}}}}", "a".repeat(2_000_000));
    for path in ["/compute/v2.1/servers", "/network/v2.0/networks", "/identity/v3/projects", "/image/v2/images"] {
        expect(&cloud.admin.send("POST", path, "application/json", huge.clone().into())?, 413)?;
    }
    // Nobody needs a token for a login, so this door is the first that a flood finds.
    expect(&cloud.anonymous().send("POST", "/identity/v3/auth/tokens", "application/json", huge.into())?, 413)
}

/// Wishes are taken and kept while nobody can fulfil them.
#[test]
fn without_ovn_the_api_answers() -> Result<()> {
    let mut cloud = Cloud::without_ovn()?;
    let network = cloud.admin.make_network("patient")?;
    cloud.admin.make_subnet(&network, "10.0.0.0/24")?;
    cloud.restart_controller(Duration::ZERO)?;
    expect(&cloud.admin.ask("GET", &format!("/network/v2.0/networks/{network}"), &json!({}))?, 200)?;
    cloud.passed()
}

/// Whoever logs in where a login lasts no time at all is somebody, and nobody at the next request.
fn logins_end(cloud: &mut Cloud) -> Result<()> {
    let settings = cloud.home().join("ferrostack.toml");
    let text = fs::read_to_string(&settings)?;
    fs::write(&settings, text.replace("[api]\n", "[api]\ntoken_hours = 0\n"))?;
    cloud.restart_controller(Duration::ZERO)?;
    let late = cloud.admin.log_in(cloud.admin.account()?)?;
    expect(&late.ask("GET", "/compute/v2.1/servers", &json!({}))?, 401)
}

fn expect(answer: &Answer, status: u16) -> Result<()> {
    ensure!(answer.status == status, "{status} was expected: {answer}");
    Ok(())
}

/// What keeps a controller from starting is said in a sentence, and nothing is touched.
#[test]
fn a_controller_that_cannot_start_says_why() -> Result<()> {
    let mut cloud = Cloud::controller_alone()?;
    let home = cloud.home();
    let settings = home.join("ferrostack.toml");
    let database = home.join("ferrostack.db");
    let network = cloud.admin.make_network("kept")?;

    // A second one with the same home, and one whose port is in use.
    let said = refused(&cloud, &home.display().to_string())?;
    ensure!(said.contains("runs already"), "{said}");
    let other = cloud.lab.folder().join("other");
    fs::create_dir_all(&other)?;
    fs::copy(&settings, other.join("ferrostack.toml"))?;
    let said = refused(&cloud, &other.display().to_string())?;
    ensure!(said.contains("api.listen") && said.contains("in use"), "{said}");

    cloud.controller.stop(Duration::from_secs(20))?;
    // Settings that nobody understands.
    let good = fs::read_to_string(&settings)?;
    fs::write(&settings, format!("{good}\n[api2]\nlisten = 7\n"))?;
    let said = refused(&cloud, &home.display().to_string())?;
    ensure!(said.contains("ferrostack.toml") && said.contains("api2"), "{said}");
    fs::write(&settings, &good)?;

    // A database that is none any more. What is left of it is not written to.
    let kept = cloud.lab.folder().join("kept");
    let place = home.display().to_string();
    cloud.central.run([
        "sh",
        "-c",
        "mkdir \"$2\" && mv \"$1\"/ferrostack.db* \"$2\"",
        "sh",
        &place,
        &kept.display().to_string(),
    ])?;
    let said = refused(&cloud, &place)?;
    ensure!(said.contains("is not there") && said.contains("put it back from a backup"), "{said}");
    ensure!(!database.exists(), "an empty database was made in the place of the one that is missing");
    let torn = vec![0x5a; 65536];
    fs::write(&database, &torn)?;
    let said = refused(&cloud, &place)?;
    ensure!(said.contains("database"), "{said}");
    ensure!(fs::read(&database)? == torn, "a damaged database was written to");
    cloud.central.run(["sh", "-c", "rm \"$1\"/ferrostack.db*; mv \"$2\"/* \"$1\"", "sh", &place, &kept.display().to_string()])?;

    // A disk that cannot be written to.
    let read_only = ["sh", "-c", "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\"", "sh", &place];
    cloud.central.run(read_only)?;
    let said = refused(&cloud, &place)?;
    ensure!(said.contains("ead-only"), "{said}");
    cloud.central.run(["umount", &place])?;

    // After all that, everything is there.
    cloud.start_controller()?;
    expect(&cloud.admin.ask("GET", &format!("/network/v2.0/networks/{network}"), &json!({}))?, 200)?;
    cloud.passed()
}

/// What a controller says that ends by itself, and soon.
fn refused(cloud: &Cloud, home: &str) -> Result<String> {
    let program = lab::ferrostack()?.display().to_string();
    let output = cloud.central.output(["timeout", "20", &program, "controller", "--home", home])?;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.code() == Some(1), "ended with {} and said: {said}", output.status);
    ensure!(!said.contains("panicked"), "{said}");
    Ok(said)
}
