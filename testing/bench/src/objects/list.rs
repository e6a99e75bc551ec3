// SPDX-License-Identifier: Apache-2.0
//! A container of a hundred thousand, listed page by page. They come in archives: ten requests.

use std::time::Instant;

use anyhow::{Context, ensure};
use bytes::Bytes;
use http::Method;

use super::Place;
use crate::{
    Plan,
    report::{Line, Report},
};

const ARCHIVES: usize = 10;
const FILES: usize = 10_000;
const PAGE: usize = 1000;

pub async fn measure(plan: &Plan, report: &mut Report, place: &Place) -> anyhow::Result<()> {
    let container = place.container("many").await?;
    let mut connection = place.connect().await?;
    let began = Instant::now();
    for number in 0..ARCHIVES {
        let path = format!("{container}?extract-archive=tar&format=json");
        let answer = connection.send(Method::PUT, &path, &[], archive(number)).await?.or_fail("send an archive")?;
        let said = answer.json()?;
        ensure!(said["Number Files Created"] == FILES, "{said}");
    }
    let made = (ARCHIVES * FILES) as f64 / began.elapsed().as_secs_f64();
    let mut times = Vec::new();
    for _ in 0..plan.rounds {
        let (mut marker, mut seen) = (String::new(), 0);
        let began = Instant::now();
        loop {
            let path = format!("{container}?format=json&limit={PAGE}&marker={marker}");
            let page = connection.get(&path).await?.json()?;
            let page = page.as_array().context("a list is a list")?;
            let Some(last) = page.last() else { break };
            marker = last["name"].as_str().context("an object has a name")?.to_owned();
            seen += page.len();
        }
        ensure!(seen == ARCHIVES * FILES, "{seen} objects are listed");
        times.push(began.elapsed().as_secs_f64() * 1e3 * PAGE as f64 / seen as f64);
    }
    report.line(&Line::new("object", "files of an archive, made one after the other", "/s", &[made]));
    report.line(&Line::new("object", "list of 100,000, a thousand of them", "ms", &times).at_most(50.0, 10.0));
    Ok(())
}

fn archive(number: usize) -> Bytes {
    let mut archive = Vec::with_capacity((FILES + 2) * 512);
    for file in 0..FILES {
        let mut head = vec![0; 512];
        let name = format!("folder-{number}/object-{file:05}");
        head[..name.len()].copy_from_slice(name.as_bytes());
        head[124..135].copy_from_slice(b"00000000000");
        head[148..156].copy_from_slice(b"        ");
        head[156] = b'0';
        let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
        head[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        archive.extend(head);
    }
    archive.resize(archive.len() + 1024, 0);
    archive.into()
}
