// SPDX-License-Identifier: Apache-2.0
//! Volumes: made, attached to a guest that runs, frozen under it, and written by it; over the same done to the same QEMU by hand.
//!
//! Needs a cloud on this very host, as `server` does, and a guest that has booted: it must let go of what is detached.

mod hand;
mod tenant;
mod writer;

use anyhow::Context;
use serde_json::json;

use crate::{
    Plan,
    report::{Line, Report},
    server::{raw::Template, tenant::Tenant},
};
use hand::Disk;

pub async fn measure(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let mut tenant = Tenant::find(plan).await?;
    let ask = json!({"config_drive": true, "user_data": writer::user_data()});
    let (model, _) = tenant.create_active_with("bench-volumes", &ask).await?;
    let mut outcome = rounds(plan, report, &mut tenant, &model).await;
    if outcome.is_ok() {
        outcome = writer::measure(plan, report, &mut tenant, &model).await;
    }
    tenant.delete(&model).await?;
    outcome
}

async fn rounds(plan: &Plan, report: &mut Report, tenant: &mut Tenant, model: &str) -> anyhow::Result<()> {
    let template = Template::of(model)?;
    tenant.until_console_says(model, "login:").await.context("wait for the guest")?;
    let (mut create, mut attach, mut snapshot) = (Vec::new(), Vec::new(), Vec::new());
    let (mut plug, mut freeze) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let (mut raw, _) = template.run(&plan.dir).await?;
        let disk = Disk::make(&raw, "bench")?;
        plug.push(disk.plug(&mut raw).await?);
        freeze.push(disk.freeze(&mut raw).await?);
        drop(raw);

        let (volume, took) = tenant.create_volume("bench").await?;
        create.push(took);
        attach.push(tenant.attach(model, &volume).await?);
        let (frozen, took) = tenant.snapshot(&volume).await?;
        snapshot.push(took);
        tenant.delete_snapshot(&frozen).await?;
        tenant.detach(model, &volume).await?;
        tenant.delete_volume(&volume).await?;
    }
    report.title("volume: from the request until clients see it done, over the same QEMU told by hand");
    let line = |name: &str, rounds: &[f64]| Line::new("volume", name, "ms", rounds);
    report.line(&line("create until available", &create).at_most(30.0, 10.0));
    report.line(&line("attach to a running guest until in use", &attach).above("QEMU's hot plug", &plug).at_most(150.0, 50.0));
    let name = "snapshot under a running guest";
    report.line(&line(name, &snapshot).above("QEMU's own", &freeze).at_most(50.0, 50.0));
    Ok(())
}
