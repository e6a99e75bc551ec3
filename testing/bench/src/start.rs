// SPDX-License-Identifier: Apache-2.0
//! From the start of the process to the first answer: with nothing there yet, with a cloud there, and after a power cut.

use std::{process::Command, time::Instant};

use anyhow::ensure;

use crate::{
    Plan,
    cloud::Home,
    process,
    report::{Line, Report},
};

pub async fn measure(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let (mut bare, mut cpu) = (Vec::new(), Vec::new());
    let (mut first, mut again, mut after_kill) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        bare.push(bare_process(plan)?);
        let home = Home::make(&plan.binary, &plan.dir)?;
        let (controller, took) = home.start().await?;
        first.push(took);
        controller.stop()?;
        let (controller, took) = home.start().await?;
        again.push(took);
        cpu.push(process::cpu_ms(controller.pid())?);
        controller.kill()?;
        let (controller, took) = home.start().await?;
        after_kill.push(took);
        controller.stop()?;
    }
    report.title("start: from the start of the controller to its first answer");
    for (name, rounds) in [("in an empty folder", &first), ("again", &again), ("again, after kill -9", &after_kill)] {
        report.line(&Line::new("start", name, "ms", rounds).at_most(300.0, 100.0));
    }
    report.line(&Line::new("start", "again, CPU of it", "ms", &cpu));
    report.line(&Line::new("start", "the process alone (--version)", "ms", &bare));
    Ok(())
}

fn bare_process(plan: &Plan) -> anyhow::Result<f64> {
    let began = Instant::now();
    let output = Command::new(&plan.binary).arg("--version").output()?;
    ensure!(output.status.success(), "{} --version: {}", plan.binary.display(), output.status);
    Ok(began.elapsed().as_secs_f64() * 1e3)
}
