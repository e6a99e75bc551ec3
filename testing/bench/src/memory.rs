// SPDX-License-Identifier: Apache-2.0
//! What controller and agent hold while nothing happens: of the running cloud if there is one, else of one that is
//! brought up for this, with its switch and OVN but without machines.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::{
    Plan, process,
    report::{Line, Report},
};

/// After which nothing of the start is still under way.
const SETTLED: Duration = Duration::from_secs(5);

pub async fn measure(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let Some(home) = &plan.home else {
        let cloud = Cloud::new(plan)?;
        let outcome = async {
            cloud.run(plan, &["up", "--bare"])?;
            weigh(plan, &cloud.home, report).await
        };
        let outcome = outcome.await;
        // Also when it came up in part only.
        return outcome.and(cloud.run(plan, &["destroy", "--yes"]));
    };
    weigh(plan, home, report).await
}

async fn weigh(plan: &Plan, home: &Path, report: &mut Report) -> anyhow::Result<()> {
    tokio::time::sleep(SETTLED).await;
    let (controller, node) = (pid(home, "controller")?, pid(home, "node")?);
    let (mut together, mut resident) = (Vec::new(), Vec::new());
    let (mut of_controller, mut of_node, mut cpu) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let before = process::cpu_ms(controller)? + process::cpu_ms(node)?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        cpu.push(process::cpu_ms(controller)? + process::cpu_ms(node)? - before);
        let (controller, node) = (process::memory(controller)?, process::memory(node)?);
        together.push(controller.proportional + node.proportional);
        resident.push(controller.resident + node.resident);
        of_controller.push(controller.proportional);
        of_node.push(node.proportional);
    }
    report.title(&format!("memory: idle, of the cloud in {}", home.display()));
    let line = |name: &str, rounds: &[f64]| Line::new("memory", name, "MiB", rounds);
    report.line(&line("controller and agent, PSS", &together).at_most(60.0, 40.0));
    report.line(&line("controller, PSS", &of_controller));
    report.line(&line("agent, PSS", &of_node));
    report.line(&line("controller and agent, RSS", &resident));
    report.line(&Line::new("memory", "CPU of both while idle", "ms/s", &cpu));
    Ok(())
}

/// A cloud that is brought up for this.
struct Cloud {
    home: PathBuf,
    /// Whoever runs this has a clouds.yaml of their own, which is left alone.
    elsewhere: PathBuf,
    _folder: TempDir,
}

impl Cloud {
    fn new(plan: &Plan) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("ferrostack-bench-").tempdir_in(&plan.dir)?;
        Ok(Self { home: folder.path().join("home"), elsewhere: folder.path().join("config"), _folder: folder })
    }

    fn run(&self, plan: &Plan, arguments: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new(&plan.binary);
        command.args(arguments).env("FERROSTACK_HOME", &self.home);
        command.env("HOME", &self.elsewhere).env("XDG_CONFIG_HOME", &self.elsewhere);
        let output = command.output().with_context(|| format!("run {}", plan.binary.display()))?;
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "ferrostack {}: {}", arguments.join(" "), said.trim());
        Ok(())
    }
}

fn pid(home: &Path, role: &str) -> anyhow::Result<u32> {
    let path = home.join(format!("run/{role}.pid"));
    let text = fs::read_to_string(&path).with_context(|| format!("read {}; is the cloud up?", path.display()))?;
    text.trim().parse().with_context(|| format!("read {}", path.display()))
}
