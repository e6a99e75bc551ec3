// SPDX-License-Identifier: Apache-2.0
//! A guest that writes its volume past its own cache, and says how fast: the same guest in the cloud, and in the same QEMU by hand with
//! a file of an administrator's making. One stands still while the other writes.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use tokio::time::sleep;

use super::hand::Disk;
use crate::{
    Plan,
    report::{Line, Report},
    server::{
        raw::{Running, Template},
        tenant::Tenant,
    },
};

const PATIENCE: Duration = Duration::from_secs(240);
const BYTES: f64 = 32.0 * 1024.0 * 1024.0;
/// What both disks are called, as the guest sees them.
const NAMED: &str = "bench";
/// Readings of a turn, of which the first is not taken: the guest stood still in it.
const READINGS: usize = 4;

/// Writes the disk that comes last, again and again, and tells the console.
pub fn user_data() -> String {
    let script = "#!/bin/sh\n(\nwhile ! [ -e /sys/block/vdb ]; do sleep 0.2; done\nwhile :; do\n\
                  [ -e /sys/block/vdb ] && echo \"writer: $(dd if=/dev/zero of=/dev/vdb bs=1M count=32 oflag=direct conv=fsync 2>&1 \
                  | tail -n 1)\" >/dev/ttyS0\nsleep 0.5\ndone\n) >/dev/null 2>&1 &\n";
    STANDARD.encode(script)
}

pub async fn measure(plan: &Plan, report: &mut Report, tenant: &mut Tenant, model: &str) -> anyhow::Result<()> {
    let template = Template::of(model)?;
    let (volume, _) = tenant.create_volume("bench-writer").await?;
    tenant.attach(model, &volume).await?;
    let outcome = turns(plan, report, tenant, model, &template).await;
    let _ = tenant.act(model, &json!({"unpause": null}), "ACTIVE").await;
    tenant.detach(model, &volume).await?;
    tenant.delete_volume(&volume).await?;
    outcome
}

async fn turns(plan: &Plan, report: &mut Report, tenant: &mut Tenant, model: &str, template: &Template) -> anyhow::Result<()> {
    tenant.act(model, &json!({"pause": null}), "PAUSED").await?;
    let (mut raw, _) = template.run(&plan.dir).await?;
    until(|| Ok(by_hand(&raw)?.contains("login:"))).await.context("wait for the guest by hand")?;
    Disk::make(&raw, NAMED)?.plug(&mut raw).await?;
    let (mut floor, mut ours) = (Vec::new(), Vec::new());
    for round in 0..plan.rounds {
        if round > 0 {
            raw.monitor.ask("cont", &json!({})).await?;
        }
        let before = speeds(&by_hand(&raw)?).len();
        until(|| Ok(speeds(&by_hand(&raw)?).len() >= before + READINGS)).await?;
        raw.monitor.ask("stop", &json!({})).await?;
        floor.push(median(&speeds(&by_hand(&raw)?)[before + 1..]));

        tenant.act(model, &json!({"unpause": null}), "ACTIVE").await?;
        // The console has only so many lines to show: these are its last ones.
        let began = Instant::now();
        let last = tenant.console(model).await?;
        let (mut taken, mut known) = (Vec::new(), speeds(&last).last().copied());
        while taken.len() < READINGS {
            ensure!(began.elapsed() < PATIENCE, "the guest does not write:\n{last}");
            sleep(Duration::from_millis(100)).await;
            let now = speeds(&tenant.console(model).await?).last().copied();
            if now != known {
                taken.extend(now);
                known = now;
            }
        }
        tenant.act(model, &json!({"pause": null}), "PAUSED").await?;
        ours.push(median(&taken[1..]));
    }
    let line = Line::new("volume", "a guest writes its volume, past its cache", "MB/s", &ours);
    report.line(&line.over("a file by hand", &floor).at_least(0.9, 0.97));
    Ok(())
}

fn by_hand(raw: &Running) -> anyhow::Result<String> {
    let bytes = fs::read(raw.folder.path().join("console.log")).context("read the console")?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn until(mut done: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let began = Instant::now();
    while !done()? {
        ensure!(began.elapsed() < PATIENCE, "not after {PATIENCE:?}");
        sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// In MB a second, of all that it said: `… bytes (32.0MB) copied, 0.213871 seconds, 149.6MB/s`.
fn speeds(console: &str) -> Vec<f64> {
    let said = console.lines().filter_map(|line| line.split_once("writer: "));
    let seconds = said.filter_map(|(_, line)| line.split("copied, ").nth(1)?.split_whitespace().next()?.parse::<f64>().ok());
    seconds.map(|seconds| BYTES / 1e6 / seconds).collect()
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    crate::rounds::quantile(&sorted, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_guest_says_is_read() {
        let said = "x\r\nwriter: 33554432 bytes (32.0MB) copied, 0.500000 seconds, 64.0MB/s\r\nlogin: writer: 33554432 bytes";
        assert_eq!(speeds(said), [BYTES / 1e6 / 0.5]);
    }
}
