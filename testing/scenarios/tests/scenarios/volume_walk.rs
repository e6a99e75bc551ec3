// SPDX-License-Identifier: Apache-2.0
//! The stock `openstack` client walks through what an owner does with disks, and an operator with their kinds.

use std::time::Duration;

use anyhow::{Result, ensure};
use lab::wait_until;
use scenarios::{Cloud, OpenStack};

const SOON: Duration = Duration::from_secs(60);

#[test]
fn volume_walk() -> Result<()> {
    let cloud = Cloud::with_hosts(&["hv1"])?;
    let operator = OpenStack::new(&cloud.central, &cloud.admin)?;
    let owner = OpenStack::new(&cloud.central, &cloud.tenant("owner")?)?;
    let heir = OpenStack::new(&cloud.central, &cloud.tenant("heir")?)?;
    kinds(&operator)?;
    disks(&owner)?;
    snapshots(&owner)?;
    groups(&operator, &owner)?;
    handed_over(&owner, &heir)?;
    the_house(&operator)?;
    for kind in ["fast", "slow"] {
        operator.run(&format!("volume type delete {kind}"))?;
    }
    cloud.wait_for_clean_audit()?;
    cloud.passed()
}

fn wait_for(client: &OpenStack, volume: &str, status: &str) -> Result<()> {
    let is_so = || Ok(client.value(&format!("volume show {volume}"), "status")? == status);
    wait_until(&format!("{volume} to be {status}"), SOON, is_so)
}

fn wait_until_empty(client: &OpenStack, list: &str) -> Result<()> {
    wait_until(&format!("{list} to show nothing"), SOON, || Ok(client.json(list)?.as_array().is_some_and(Vec::is_empty)))
}

fn kinds(operator: &OpenStack) -> Result<()> {
    operator.run("volume type create --property volume_backend_name=disks fast")?;
    operator.run("volume type create slow")?;
    operator.run("volume type set --property note=x fast")?;
    operator.run("volume type unset --property note fast")?;
    let kinds = operator.json("volume type list --long")?.to_string();
    ensure!(kinds.contains("fast") && kinds.contains("slow") && kinds.contains("__DEFAULT__"), "{kinds}");
    operator.run("volume qos create --property iops=100 gold")?;
    operator.run("volume qos associate gold fast")?;
    operator.run("volume qos disassociate --all gold")?;
    operator.run("volume qos delete gold").map(drop)
}

fn disks(owner: &OpenStack) -> Result<()> {
    owner.run("volume create --size 1 --type fast --property of=walk --description first disk")?;
    wait_for(owner, "disk", "available")?;
    owner.run("volume set --property a=b disk")?;
    owner.run("volume unset --property of disk")?;
    owner.run("volume set --bootable --read-only disk")?;
    owner.run("volume set --read-write disk")?;
    owner.run("volume set --size 2 disk")?;
    wait_for(owner, "disk", "available")?;
    owner.run("volume set --type slow --retype-policy never disk")?;
    let shown = owner.json("volume show disk")?;
    ensure!(shown["size"] == 2 && shown["type"] == "slow" && shown["bootable"] == true, "{shown}");
    ensure!(shown["properties"]["a"] == "b" && shown["properties"].get("of").is_none(), "{shown}");
    let said = owner.refused("volume set --size 1 disk")?;
    ensure!(said.contains("must be greater"), "{said}");
    owner.run("volume create --source disk copy")?;
    wait_for(owner, "copy", "available")?;
    owner.run("volume delete copy").map(drop)
}

fn snapshots(owner: &OpenStack) -> Result<()> {
    owner.run("volume snapshot create --volume disk evening")?;
    wait_until("the snapshot to be there", SOON, || Ok(owner.value("volume snapshot show evening", "status")? == "available"))?;
    owner.run("volume snapshot set --property k=v --description kept evening")?;
    owner.run("volume snapshot unset --property k evening")?;
    let said = owner.refused("volume delete disk")?;
    ensure!(said.contains("have snapshots"), "{said}");
    owner.run("volume create --snapshot evening back")?;
    wait_for(owner, "back", "available")?;
    owner.run("volume delete back")?;
    owner.run("volume snapshot delete evening")?;
    wait_until_empty(owner, "volume snapshot list")
}

fn groups(operator: &OpenStack, owner: &OpenStack) -> Result<()> {
    let by_version = "--os-volume-api-version 3.14 volume group";
    operator.run(&format!("{by_version} type create office"))?;
    owner.run(&format!("{by_version} create --volume-group-type office --volume-type slow --name shop"))?;
    owner.run(&format!("{by_version} set --description both shop"))?;
    let groups = owner.json(&format!("{by_version} list"))?.to_string();
    ensure!(groups.contains("shop") && groups.contains("available"), "{groups}");
    owner.run(&format!("{by_version} delete shop"))?;
    operator.run(&format!("{by_version} type delete office")).map(drop)
}

/// Whoever has the key of an offer takes the disk into his project.
fn handed_over(owner: &OpenStack, heir: &OpenStack) -> Result<()> {
    let offer = owner.json("volume transfer request create --name gift disk")?;
    let (id, key) = (offer["id"].as_str().unwrap_or_default(), offer["auth_key"].as_str().unwrap_or_default());
    wait_for(owner, "disk", "awaiting-transfer")?;
    let said = heir.refused(&format!("volume transfer request accept --auth-key guessed {id}"))?;
    ensure!(said.contains("invalid auth key"), "{said}");
    heir.run(&format!("volume transfer request accept --auth-key {key} {id}"))?;
    wait_for(heir, "disk", "available")?;
    wait_until_empty(owner, "volume list")?;
    heir.run("volume delete disk")?;
    wait_until_empty(heir, "volume list")
}

fn the_house(operator: &OpenStack) -> Result<()> {
    let services = operator.json("volume service list")?.to_string();
    ensure!(services.contains("cinder-volume") && services.contains("@disks"), "{services}");
    for line in [
        "volume backend pool list",
        "--os-volume-api-version 3.27 volume attachment list",
        "--os-volume-api-version 3.3 volume message list",
        "--os-volume-api-version 3.12 volume summary",
        "--os-volume-api-version 3.33 block storage resource filter list",
        "availability zone list --volume",
    ] {
        operator.json(line)?;
    }
    Ok(())
}
