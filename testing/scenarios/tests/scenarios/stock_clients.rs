// SPDX-License-Identifier: Apache-2.0
//! The clients that people have for objects: `openstack object`, `swift`, rclone through both doors, s3cmd, restic.

use std::fs;

use anyhow::{Context, Result, ensure};
use lab::Python;
use scenarios::{Cloud, OpenStack};

const WALK: &str = include_str!("stock_clients.sh");

#[test]
fn stock_clients_of_objects_walk_through_a_day() -> Result<()> {
    let cloud = Cloud::with_hosts(&[])?;
    let api = cloud.tenant("walker")?;
    let tenant = OpenStack::new(&cloud.central, &api)?;
    openstack(&cloud, &tenant)?;

    let key = tenant.json("ec2 credentials create")?;
    let word = |name: &str| key[name].as_str().map(str::to_owned).with_context(|| format!("the key has no {name}: {key}"));
    let s3 = fs::read_to_string(cloud.home().join("run/s3-address"))?;
    let folder = cloud.central.folder().join("clients");
    fs::create_dir_all(&folder)?;
    let script = folder.join("walk.sh");
    fs::write(&script, WALK)?;
    let swift = Python::with_swift()?.program("swift");
    let words = [
        "timeout".as_ref(),
        "400".as_ref(),
        "bash".as_ref(),
        script.as_os_str(),
        folder.as_os_str(),
        swift.as_os_str(),
        api.url().as_ref(),
        s3.trim().as_ref(),
    ]
    .map(std::ffi::OsStr::to_owned);
    let mut command = cloud.central.command(words);
    let account = api.account()?;
    command.envs([
        ("OS_AUTH_URL", format!("{}/identity/v3", api.url())),
        ("OS_IDENTITY_API_VERSION", "3".to_owned()),
        ("OS_USERNAME", account.user.clone()),
        ("OS_PASSWORD", account.password.clone()),
        ("OS_PROJECT_NAME", account.project.clone()),
        ("OS_USER_DOMAIN_NAME", "Default".to_owned()),
        ("OS_PROJECT_DOMAIN_NAME", "Default".to_owned()),
        ("OS_REGION_NAME", "RegionOne".to_owned()),
        ("AWS_ACCESS_KEY_ID", word("access")?),
        ("AWS_SECRET_ACCESS_KEY", word("secret")?),
    ]);
    let output = command.output()?;
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    ensure!(output.status.success(), "the walk ended with {}:\n{said}", output.status);
    cloud.wait_for_clean_audit()?;
    cloud.passed()
}

fn openstack(cloud: &Cloud, tenant: &OpenStack) -> Result<()> {
    let folder = cloud.central.folder();
    let (file, back) = (folder.join("sent"), folder.join("back"));
    let data: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::write(&file, &data)?;
    let (file, back) = (file.display(), back.display());
    tenant.run("object store account set --property colour=red")?;
    let account = tenant.json("object store account show")?;
    ensure!(account["properties"]["colour"] == "red", "{account}");
    tenant.run("object store account unset --property colour")?;
    tenant.run("container create box")?;
    tenant.run("container set --property purpose=walk box")?;
    let container = tenant.json("container show box")?;
    ensure!(container["properties"]["purpose"] == "walk", "{container}");
    tenant.run("container unset --property purpose box")?;
    tenant.run(&format!("object create --name sent box {file}"))?;
    tenant.run("object set --property kind=numbers box sent")?;
    let object = tenant.json("object show box sent")?;
    let length = object["content-length"].as_str().and_then(|text| text.parse().ok());
    ensure!(length == Some(data.len()) && object["properties"]["kind"] == "numbers", "{object}");
    tenant.run("object unset --property kind box sent")?;
    tenant.run(&format!("object save --file {back} box sent"))?;
    ensure!(fs::read(back.to_string())? == data, "what came back is not what was sent");
    let listed = tenant.json("object list --long box")?;
    ensure!(listed[0]["Name"] == "sent" && listed[0]["Bytes"] == data.len(), "{listed}");
    tenant.run("object delete box sent")?;
    tenant.run("container delete box")?;
    let left = tenant.json("container list")?;
    ensure!(left.as_array().is_some_and(Vec::is_empty), "{left}");
    Ok(())
}
