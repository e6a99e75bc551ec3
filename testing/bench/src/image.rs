// SPDX-License-Identifier: Apache-2.0
//! Upload and download of an image. Whoever keeps data has to write it to the disk, and whoever vouches for it has to hash
//! it: a copy and one hash of the same file, by the tools of the host, are the floor.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use serde_json::json;
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    Plan,
    cloud::Home,
    http::Connection,
    report::{Line, Report},
};

const SIZE: usize = 256 << 20;
const MIB: f64 = (1 << 20) as f64;

pub async fn measure(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(&plan.dir).with_context(|| format!("make a folder in {}", plan.dir.display()))?;
    let source = folder.path().join("source");
    write_noise(&source)?;
    let home = Home::make(&plan.binary, &plan.dir)?;
    let (controller, _) = home.start().await?;
    let token = home.log_in().await?;
    let client = Client { authority: home.authority.clone(), token };

    let (mut floor, mut up, mut down) = (Vec::new(), Vec::new(), Vec::new());
    let before = peak_memory(controller.pid())?;
    for _ in 0..plan.rounds {
        floor.push(rate(copy_and_hash(&source, &folder.path().join("copy"))?));
        let id = client.create().await?;
        up.push(rate(client.upload(&id, &source).await?));
        down.push(rate(client.download(&id, &folder.path().join("back")).await?));
        client.delete(&id).await?;
    }
    let grown = peak_memory(controller.pid())? - before;
    ensure!(fs::read(&source)? == fs::read(folder.path().join("back"))?, "what came back is not what was sent");
    controller.stop()?;

    report.title(&format!("image: {} MiB, in {}", SIZE >> 20, plan.dir.display()));
    let line = |name: &str, rounds: &[f64]| Line::new("image", name, "MiB/s", rounds);
    report.line(&line("upload", &up).over("cp, sync and sha512sum", &floor).at_least(0.7, 0.9));
    report.line(&line("download", &down).over("cp, sync and sha512sum", &floor).at_least(0.7, 0.9));
    report.line(&Line::new("image", "memory at its peak, above idle", "MiB", &[grown]).at_most(64.0, 32.0));
    Ok(())
}

fn rate(took: Duration) -> f64 {
    SIZE as f64 / MIB / took.as_secs_f64()
}

/// Content that no file system makes smaller.
fn write_noise(path: &Path) -> anyhow::Result<()> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut noise = Vec::with_capacity(SIZE);
    while noise.len() < SIZE {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        noise.extend_from_slice(&state.to_le_bytes());
    }
    fs::write(path, noise).context("write the file to upload")
}

fn copy_and_hash(from: &Path, to: &Path) -> anyhow::Result<Duration> {
    let began = Instant::now();
    run(Command::new("cp").arg(from).arg(to))?;
    run(Command::new("sync").arg(to))?;
    run(Command::new("sha512sum").arg(from))?;
    Ok(began.elapsed())
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.stdout(Stdio::null()).status().with_context(|| format!("run {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

/// The most memory that the process ever had, in MiB.
fn peak_memory(pid: u32) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("the kernel does not tell the peak")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().context("read the peak")?;
    Ok(kib / 1024.0)
}

struct Client {
    authority: String,
    token: String,
}

impl Client {
    async fn create(&self) -> anyhow::Result<String> {
        let ask = json!({"name": "bench", "disk_format": "raw", "container_format": "bare"});
        let mut connection = Connection::open(&self.authority).await?.with_token(&self.token);
        let made = connection.post("/image/v2/images", &ask).await?.json()?;
        Ok(made["id"].as_str().context("the image has no id")?.to_owned())
    }

    async fn delete(&self, id: &str) -> anyhow::Result<()> {
        let mut connection = Connection::open(&self.authority).await?.with_token(&self.token);
        connection.delete(&format!("/image/v2/images/{id}")).await.map(drop)
    }

    async fn upload(&self, id: &str, from: &Path) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let headers = format!("content-type: application/octet-stream\r\ncontent-length: {SIZE}\r\n");
        let mut stream = self.ask("PUT", id, &headers).await?;
        copy(&mut File::open(from).await?, &mut stream, SIZE).await?;
        let (status, _) = head(&mut stream).await?;
        ensure!(status == 204, "the upload was answered with {status}");
        Ok(began.elapsed())
    }

    async fn download(&self, id: &str, to: &Path) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let mut stream = self.ask("GET", id, "").await?;
        let (status, rest) = head(&mut stream).await?;
        ensure!(status == 200, "the download was answered with {status}");
        let mut file = File::create(to).await?;
        file.write_all(&rest).await?;
        copy(&mut stream, &mut file, SIZE - rest.len()).await?;
        file.sync_all().await?;
        Ok(began.elapsed())
    }

    async fn ask(&self, method: &str, id: &str, headers: &str) -> anyhow::Result<TcpStream> {
        let mut stream = TcpStream::connect(&self.authority).await?;
        let (authority, token) = (&self.authority, &self.token);
        let head = format!(
            "{method} /image/v2/images/{id}/file HTTP/1.1\r\nhost: {authority}\r\nx-auth-token: {token}\r\n{headers}\r\n"
        );
        stream.write_all(head.as_bytes()).await?;
        Ok(stream)
    }
}

/// Passes `left` bytes on, in pieces as large as a good client's.
async fn copy(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    mut left: usize,
) -> anyhow::Result<()> {
    let mut buffer = vec![0; 1 << 20];
    while left > 0 {
        let most = left.min(buffer.len());
        let count = from.read(&mut buffer[..most]).await?;
        ensure!(count > 0, "{left} bytes are missing at the end");
        to.write_all(&buffer[..count]).await?;
        left -= count;
    }
    Ok(to.flush().await?)
}

/// The status of an answer, and what came of its body together with its head.
async fn head(stream: &mut TcpStream) -> anyhow::Result<(u16, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            bail!("the connection ended before the answer");
        }
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            let head = String::from_utf8_lossy(&bytes);
            let status = head.split(' ').nth(1).context("the answer has no status")?;
            return Ok((status.parse()?, rest));
        }
    }
}
