// SPDX-License-Identifier: Apache-2.0
//! The host is started anew: all processes are gone, what lies in memory is, and so is the boot that the agent knew. What
//! systemd's units call brings all back; nobody else has to do anything.

use std::fs;

use anyhow::{Context, Result, ensure};
use lab::{KeyPair, Lab, Process};
use scenarios::{BOOT, machines};

use super::place::{Place, data, same};

#[test]
fn after_a_reboot_the_units_bring_machines_back_with_their_addresses() -> Result<()> {
    let lab = Lab::new()?;
    let place = Place::new(lab.host("office")?);
    let image = lab::guest_image()?.display().to_string();
    let up = ["up", "--guest-image", &image];
    let said = place.ferrostack(&up)?;
    let floating = said.split("cirros@").nth(1).and_then(|rest| rest.split_whitespace().next()).context(said.clone())?.to_owned();
    ensure!(said.contains("bring all back with: FERROSTACK_HOME="), "it is not said what to call after a reboot:\n{said}");
    let key = KeyPair::read(&place.home.join("secrets/demo-key"))?;
    let ssh = place.host.ssh(&floating, &key);
    ssh.wait_until_ready(BOOT)?;
    ssh.run("echo kept >/root/note || echo kept | sudo tee /root/note; sync")?;
    let before = place.everything()?;

    reboot(&place)?;
    ensure!(machines(&place.host)?.is_empty(), "something survived");
    let roles = started_by_units(&place)?;
    ssh.wait_until_ready(BOOT).context("after the reboot")?;
    ensure!(ssh.run("cat /root/note || sudo cat /root/note")?.trim() == "kept", "it is another machine");
    same(&data(&before), &data(&place.everything()?))?;

    // `up` finds it all as it should be.
    let said = place.ferrostack(&up)?;
    ensure!(said.contains("= the controller: as it should be") && said.contains("= the agent of this host: as it"), "{said}");
    place.ferrostack(&["destroy", "--yes"])?;
    drop(roles);
    lab.passed()
}

/// What is left is what lies on the disk.
fn reboot(place: &Place) -> Result<()> {
    let host = &place.host;
    // All but the first process of the host, the asking one among them.
    let _ = host.output(["sh", "-c", "kill -KILL -1"])?;
    let namespaces = host.run(["ip", "netns", "list"])?;
    for namespace in namespaces.lines().filter_map(|line| line.split_whitespace().next()) {
        host.run(["ip", "netns", "delete", namespace])?;
    }
    host.run(["sh", "-c", "for wire in /sys/class/net/fs*; do ip link delete ${wire##*/} 2>/dev/null; done; true"])?;
    fs::remove_dir_all(place.home.join("run"))?;
    let boot = host.folder().join("boot_id");
    fs::write(&boot, "7d3c5a52-0000-4000-8000-0123456789ab\n")?;
    host.run(["mount", "--bind", &boot.display().to_string(), "/proc/sys/kernel/random/boot_id"])?;
    Ok(())
}

/// As the units do, whose texts systemd reads in a test of its own.
fn started_by_units(place: &Place) -> Result<Vec<Process>> {
    let home = place.home.display().to_string();
    let program = lab::ferrostack()?.display().to_string();
    let settings = fs::read_to_string(place.home.join("ferrostack.toml"))?;
    let namespace = settings.lines().find_map(|line| line.strip_prefix("namespace = ")).context("a namespace of its own")?;
    let namespace = namespace.trim_matches('"');
    place.host.run([&program, "host", "--home", &home])?;
    let controller = place.host.spawn("controller", [&program, "controller", "--home", &home])?;
    let enter = ["ip", "netns", "exec", namespace, &program, "node", "--home", &home];
    Ok(vec![controller, place.host.spawn("node", enter)?])
}
