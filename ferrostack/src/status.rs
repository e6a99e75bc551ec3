// SPDX-License-Identifier: Apache-2.0
//! `ferrostack status`: what runs, who leads, what is under way, which hosts are there, and what is wrong. In lines for people,
//! or as one document with `--json`.

use clap::Args;
use serde_json::{Value, json};

use crate::{
    build,
    client::Client,
    daemons,
    home::Home,
    operate::{as_admin, line_of_controller},
    say::{self, say},
};

#[derive(Args)]
pub struct Arguments {
    /// As one JSON document
    #[arg(long)]
    json: bool,
}

pub fn run(home: &Home, arguments: &Arguments) -> anyhow::Result<()> {
    let mut status = json!({"roles": daemons::ROLES.map(|role| role_of(home, role)), "s3": home.s3_said()});
    if !arguments.json {
        lines_of(&status).iter().for_each(|line| say::line(line));
    }
    // What runs is told also where nobody answers.
    let asked = as_admin(home, async |admin| {
        let told = tell(admin).await?;
        if !arguments.json {
            lines_of(&told).iter().for_each(|line| say::line(line));
        }
        if let (Value::Object(status), Value::Object(told)) = (&mut status, told) {
            status.extend(told);
        }
        Ok(())
    });
    if arguments.json {
        if let Err(error) = &asked {
            status["error"] = json!(format!("{error:#}"));
        }
        say!("{status:#}");
    }
    asked
}

fn role_of(home: &Home, role: &'static str) -> Value {
    match daemons::running(home, role) {
        Some(process) => json!({"role": role, "pid": process.pid, "other_build": build::other(&process)}),
        None => json!({"role": role, "pid": null}),
    }
}

async fn tell(admin: &Client) -> anyhow::Result<Value> {
    let controllers = admin.get("/operator/v1/controllers").await?;
    let work = admin.get("/operator/v1/work").await?;
    let nodes = admin.get("/operator/v1/nodes").await?;
    let servers = admin.get("/compute/v2.1/servers/detail?all_tenants=1&status=ERROR").await?;
    let servers = list(&servers, "servers").map(|server| json!({"id": server["id"], "fault": server["fault"]["message"]}));
    Ok(json!({
        "controllers": controllers["controllers"],
        "work": work,
        "hosts": nodes["nodes"],
        "servers_in_error": servers.collect::<Vec<_>>(),
    }))
}

/// The same for people, a line for each thing.
fn lines_of(status: &Value) -> Vec<String> {
    let roles = list(status, "roles").map(|role| {
        let name = text(role, "role");
        match role["pid"].as_i64() {
            Some(pid) => {
                let build = role["other_build"].as_str().map(|other| format!(", of another build: {other}")).unwrap_or_default();
                format!("{name:<12} runs (pid {pid}{build})")
            }
            None => format!("{name:<12} does not run"),
        }
    });
    let s3 = status["s3"].as_str().map(|said| format!("S3           {said}"));
    let controllers = list(status, "controllers").map(line_of_controller);
    let work = list(&status["work"], "reconcilers").flat_map(lines_of_work);
    let hosts = list(status, "hosts").map(|node| {
        let state = match (&node["up"], &node["lease_is_over"]) {
            (Value::Bool(true), _) => "up",
            (_, Value::Bool(true)) => "down, and its lease is over",
            _ => "down, and may go on with what is exclusively its",
        };
        let accelerator = node["accelerator"]["finding"].as_str().unwrap_or("it has not said what it can do yet");
        format!("host         {} is {state}: {}", text(node, "hostname"), accelerator.lines().next().unwrap_or_default())
    });
    let servers = list(status, "servers_in_error").map(|server| {
        let cause = server["fault"].as_str().unwrap_or("no cause was given");
        format!("server       {} is in ERROR: {cause}", text(server, "id"))
    });
    roles.chain(s3).chain(controllers).chain(work).chain(hosts).chain(servers).collect()
}

/// Where a reconciler stands, and the worst of what it tries.
fn lines_of_work(reconciler: &Value) -> Vec<String> {
    let name = text(reconciler, "name");
    let count = |what: &str| reconciler[what].as_u64().unwrap_or(0);
    let counts = [
        (count("under_way"), "under way"),
        (count("ready"), "in line"),
        (count("failing"), "failing"),
        (count("pausing").saturating_sub(count("failing")), "waiting for something outside"),
    ];
    let counts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    let mut lines = vec![match counts.as_slice() {
        [] => format!("work         {name}: nothing is to do"),
        counts => format!("work         {name}: {}", counts.join(", ")),
    }];
    for (field, what) in [("blocked", "is held up"), ("look_error", "cannot read what is to do")] {
        lines.extend(reconciler[field].as_str().map(|why| format!("             {name} {what}: {why}")));
    }
    for key in list(reconciler, "longest_under_way").filter(|key| key["tries"].as_u64() > Some(0)).take(3) {
        lines.push(format!("             {} is tried again since {}", text(key, "key"), text(key, "since")));
    }
    for key in list(reconciler, "most_tried").filter(|key| key["error"].is_string()).take(3) {
        let (key, tries, next, error) = (text(key, "key"), &key["tries"], text(key, "next"), text(key, "error"));
        lines.push(format!("             {key} failed, {tries} times so far, next try {next}: {error}"));
    }
    lines
}

fn list<'a>(of: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    of[name].as_array().into_iter().flatten()
}

fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_told_with_its_cause_and_when_it_is_tried_again() {
        let reconciler = json!({
            "name": "network", "under_way": 1, "ready": 0, "pausing": 3, "failing": 1, "blocked": null, "look_error": null,
            "longest_under_way": [{"key": "port/2", "since": "2026-11-30T10:00:00.5Z", "until": "2026-11-30T10:01:00Z", "tries": 0}],
            "most_tried": [
                {"key": "port/1", "next": "2026-11-30T10:00:00Z", "tries": 7, "error": "write it to OVN: no"},
                {"key": "port/3", "next": "2026-11-30T10:00:00Z", "tries": 2, "error": null},
            ],
        });
        assert_eq!(
            lines_of(&json!({"work": {"reconcilers": [reconciler]}})),
            [
                "work         network: 1 under way, 1 failing, 2 waiting for something outside",
                "             port/1 failed, 7 times so far, next try 2026-11-30T10:00:00Z: write it to OVN: no",
            ]
        );
    }

    #[test]
    fn what_holds_all_up_is_told() {
        let reconciler = json!({"name": "network", "ready": 2, "blocked": "the northbound database is away"});
        assert_eq!(
            lines_of(&json!({"work": {"reconcilers": [reconciler]}})),
            ["work         network: 2 in line", "             network is held up: the northbound database is away"]
        );
    }
}
