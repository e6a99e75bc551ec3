// SPDX-License-Identifier: Apache-2.0
//! Volumes on two hosts: plugged into a machine that runs, taken along when it moves, booted from, and given back.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::wait_until;
use scenarios::{Api, Cloud, Wanted, id};
use serde_json::{Value, json};

/// From a request to its end on an emulated host.
const SOON: Duration = Duration::from_secs(120);

#[test]
fn volumes_come_to_servers_on_two_hosts_move_with_them_and_are_booted_from() -> Result<()> {
    let cloud = Cloud::start()?;
    let api = &cloud.admin;
    let image = api.load_sleeper()?;
    let wanted = Wanted { name: "web", image: &image, host: "hv1", ..Wanted::default() };
    let server = api.create_server(&wanted)?;
    api.wait_for_active(&server)?;

    // Two, so that one of them may lie on the other host.
    let volumes = [make_volume(api, "first")?, make_volume(api, "second")?];
    for volume in &volumes {
        let ask = json!({"volumeAttachment": {"volumeId": volume}});
        api.post(&format!("/compute/v2.1/servers/{server}/os-volume_attachments"), &ask)?;
        wait_for_volume(api, volume, "in-use")?;
    }
    let attached = api.get(&format!("/compute/v2.1/servers/{server}/os-volume_attachments"))?;
    ensure!(attached["volumeAttachments"].as_array().context("a list")?.len() == 2, "{attached}");

    // To the other host and, its user being content, for good.
    act(api, &server, &json!({"migrate": null}))?;
    wait_for_server(api, &server, "VERIFY_RESIZE")?;
    act(api, &server, &json!({"confirmResize": null}))?;
    let moved = wait_for_server(api, &server, "ACTIVE")?;
    ensure!(moved["OS-EXT-SRV-ATTR:host"] == "hv2", "{moved}");

    // One that is off lets go of its disks without being asked.
    act(api, &server, &json!({"os-stop": null}))?;
    wait_for_server(api, &server, "SHUTOFF")?;
    for volume in &volumes {
        api.delete(&format!("/compute/v2.1/servers/{server}/os-volume_attachments/{volume}"))?;
        wait_for_volume(api, volume, "available")?;
        api.delete(&format!("/volume/v3/volumes/{volume}"))?;
    }
    api.delete_server(&server)?;
    api.wait_until_gone(&server)?;

    let ask = json!({"server": {"name": "from-a-volume", "flavorRef": "m1.micro", "networks": "none", "block_device_mapping_v2": [{
        "source_type": "image", "uuid": image, "destination_type": "volume", "volume_size": 1, "boot_index": 0,
        "delete_on_termination": true,
    }]}});
    let server = id(&api.post("/compute/v2.1/servers", &ask)?["server"])?;
    let shown = api.wait_for_active(&server)?;
    ensure!(shown["image"] == "", "{shown}");
    act(api, &server, &json!({"migrate": null}))?;
    wait_for_server(api, &server, "VERIFY_RESIZE")?;
    act(api, &server, &json!({"revertResize": null}))?;
    wait_for_server(api, &server, "ACTIVE")?;
    api.delete_server(&server)?;
    api.wait_until_gone(&server)?;
    wait_until("no volume to be left", SOON, || {
        let left = api.get("/volume/v3/volumes")?;
        Ok(left["volumes"].as_array().is_some_and(Vec::is_empty))
    })?;
    cloud.wait_for_clean_audit()?;
    cloud.passed()
}

fn make_volume(api: &Api, name: &str) -> Result<String> {
    let volume = id(&api.post("/volume/v3/volumes", &json!({"volume": {"name": name, "size": 1}}))?["volume"])?;
    wait_for_volume(api, &volume, "available")?;
    Ok(volume)
}

fn wait_for_volume(api: &Api, volume: &str, status: &str) -> Result<()> {
    let mut last = Value::Null;
    let came = wait_until(&format!("volume {volume} to be {status}"), SOON, || {
        last = api.get(&format!("/volume/v3/volumes/{volume}"))?["volume"].take();
        Ok(last["status"] == status)
    });
    came.with_context(|| last.to_string())
}

fn act(api: &Api, server: &str, action: &Value) -> Result<()> {
    let answer = api.ask("POST", &format!("/compute/v2.1/servers/{server}/action"), action)?;
    ensure!((200..300).contains(&answer.status), "{action}: {answer}");
    Ok(())
}

/// At rest, in this status.
fn wait_for_server(api: &Api, server: &str, status: &str) -> Result<Value> {
    let mut last = Value::Null;
    let came = wait_until(&format!("server {server} to be {status}"), SOON, || {
        last = api.server(server)?;
        Ok(last["status"] == status && last["OS-EXT-STS:task_state"].is_null())
    });
    came.with_context(|| last.to_string())?;
    Ok(last)
}
