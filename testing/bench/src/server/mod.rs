// SPDX-License-Identifier: Apache-2.0
//! From the request for a server to ACTIVE, over starting the same QEMU by hand: what the cloud adds to the machine.
//!
//! Needs a cloud on this very host, with a network and an image: the demo tenant of `ferrostack up`, or whatever the
//! `OS_*` variables name.

pub(crate) mod raw;
pub(crate) mod tenant;

use crate::{
    Plan,
    report::{Line, Report},
};
use raw::Template;
use tenant::Tenant;

pub async fn measure(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let mut tenant = Tenant::find(plan).await?;
    // Lives through all rounds: the image stays cached, and its command line is the one that is run by hand.
    let (model, _) = tenant.create_active("bench-model").await?;
    let outcome = rounds(plan, report, &mut tenant, &model).await;
    tenant.delete(&model).await?;
    outcome
}

async fn rounds(plan: &Plan, report: &mut Report, tenant: &mut Tenant, model: &str) -> anyhow::Result<()> {
    let template = Template::of(model)?;
    let (mut floor, mut ours) = (Vec::new(), Vec::new());
    let (mut accepted, mut spawned, mut active) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        floor.push(template.start(&plan.dir).await?);
        let (id, steps) = tenant.create_active("bench").await?;
        tenant.delete(&id).await?;
        ours.push(steps.active);
        accepted.push(steps.accepted);
        spawned.push(steps.spawned - steps.accepted);
        active.push(steps.active - steps.spawned);
    }
    report.title("server: from the request to ACTIVE, image cached, over the same QEMU started by hand");
    let line = |name: &str, rounds: &[f64]| Line::new("server", name, "ms", rounds);
    report.line(&line("create until ACTIVE", &ours).above("QEMU until running", &floor).at_most(150.0, 50.0));
    report.line(&line("  of it: until the request is answered", &accepted));
    report.line(&line("  then: until QEMU is started (± 10)", &spawned));
    report.line(&line("  then: until ACTIVE", &active));
    Ok(())
}
