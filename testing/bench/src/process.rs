// SPDX-License-Identifier: Apache-2.0
//! What the kernel knows about a process: CPU time, memory, and when it began.

use std::fs;

use anyhow::Context;
use nix::unistd::{SysconfVar, sysconf};

/// CPU that a process has used with all its threads, in milliseconds.
pub fn cpu_ms(pid: u32) -> anyhow::Result<f64> {
    let fields = stat(pid)?;
    let ticks = fields[11] + fields[12];
    Ok(ticks * 1e3 / ticks_a_second()?)
}

/// When a process began, in seconds since the machine did. As fine as the clock's tick, 10 ms.
pub fn began(pid: u32) -> anyhow::Result<f64> {
    Ok(stat(pid)?[19] / ticks_a_second()?)
}

/// Seconds since the machine began.
pub fn uptime() -> anyhow::Result<f64> {
    let text = fs::read_to_string("/proc/uptime")?;
    text.split(' ').next().and_then(|seconds| seconds.parse().ok()).context("read /proc/uptime")
}

/// Memory in MiB: its share of what it shares, and all that it touches.
pub struct Memory {
    pub proportional: f64,
    pub resident: f64,
}

pub fn memory(pid: u32) -> anyhow::Result<Memory> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).with_context(|| format!("look at process {pid}"))?;
    let field = |name: &str| {
        let line = rollup.lines().find(|line| line.starts_with(name))?;
        let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kib / 1024.0)
    };
    let read = || Some(Memory { proportional: field("Pss:")?, resident: field("Rss:")? });
    read().context("read smaps_rollup")
}

/// Processes whose command line has this word in it.
pub fn mentioning(word: &str) -> Vec<(u32, Vec<String>)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| Some((pid, command_line(pid)?)))
        .filter(|(_, arguments)| arguments.iter().any(|argument| argument.contains(word)))
        .collect()
}

fn command_line(pid: u32) -> Option<Vec<String>> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    Some(text.split_terminator('\0').map(str::to_owned).collect())
}

/// The numbers of `/proc/PID/stat` from the third field on, which is here the first.
fn stat(pid: u32) -> anyhow::Result<Vec<f64>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("look at process {pid}"))?;
    // The name before may hold spaces and brackets, hence the last bracket.
    let (_, fields) = text.rsplit_once(')').context("read /proc/PID/stat")?;
    let numbers: Vec<f64> = fields.split_whitespace().map(|field| field.parse().unwrap_or_default()).collect();
    anyhow::ensure!(numbers.len() > 19, "/proc/{pid}/stat has only {} fields", numbers.len());
    Ok(numbers)
}

fn ticks_a_second() -> anyhow::Result<f64> {
    let ticks = sysconf(SysconfVar::CLK_TCK)?.context("ask for the clock's tick")?;
    Ok(ticks as f64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn this_process_is_measured() {
        let own = std::process::id();
        assert!(memory(own).unwrap().resident >= memory(own).unwrap().proportional * 0.5);
        assert!(began(own).unwrap() <= uptime().unwrap() + 0.02);
        let busy_until = cpu_ms(own).unwrap() + 20.0;
        while cpu_ms(own).unwrap() < busy_until {}
        let name = std::env::args().next().unwrap();
        assert!(mentioning(&name).iter().any(|(pid, _)| *pid == own));
    }
}
