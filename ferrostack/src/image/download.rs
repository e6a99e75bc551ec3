// SPDX-License-Identifier: Apache-2.0
//! From the web into a file, checked.

use std::{fs, io::Write, path::Path, time::Duration};

use anyhow::{Context, bail};
use sha2::{Digest, Sha256, Sha512};
use web::{Client, Limits, Rules};

use super::{
    catalogue::{Checksum, Entry},
    progress::Progress,
};

const LARGEST_LIST: u64 = 4 << 20;
const LARGEST_IMAGE: u64 = 256 << 30;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What the image must hash to, by its maker's word of now.
pub async fn checksum(entry: &Entry) -> anyhow::Result<Checksum> {
    if let Some(digits) = &entry.sha256 {
        return Checksum::parse(digits).context("the catalogue's checksum is not one");
    }
    let url = entry.checksums.as_deref().context("the catalogue has no checksum")?;
    let client = client(Limits { bytes: LARGEST_LIST, ..Limits::default() });
    let list = async { client.get(url).await?.body.bytes().await }.await.with_context(|| offline(url))?;
    let list = String::from_utf8_lossy(&list);
    Checksum::in_list(&list, entry.file_name()).with_context(|| format!("{url} does not list {}", entry.file_name()))
}

/// Leaves `path` only if its content is what it must be.
pub async fn image(entry: &Entry, checksum: &Checksum, path: &Path) -> anyhow::Result<()> {
    let limits = Limits { bytes: LARGEST_IMAGE, total: DAY, ..Limits::default() };
    let response = client(limits).get(&entry.url).await.with_context(|| offline(&entry.url))?;
    let mut body = response.body;
    let mut progress = Progress::new("downloading", body.announced());
    let mut file = fs::File::create(path).with_context(|| format!("make {}", path.display()))?;
    let (mut sha256, mut sha512) = (Sha256::new(), Sha512::new());
    while let Some(chunk) = body.chunk().await.with_context(|| format!("download {}", entry.url))? {
        match checksum {
            Checksum::Sha256(_) => sha256.update(&chunk),
            Checksum::Sha512(_) => sha512.update(&chunk),
        }
        file.write_all(&chunk).with_context(|| format!("write {}", path.display()))?;
        progress.add(chunk.len() as u64);
    }
    progress.end();
    let found = match checksum {
        Checksum::Sha256(_) => hex::encode(sha256.finalize()),
        Checksum::Sha512(_) => hex::encode(sha512.finalize()),
    };
    if found != checksum.digits() {
        let wanted = checksum.digits();
        bail!("{} hashes to {found}, but its maker says {wanted}; it was not used. Try again, or look at the mirror", entry.url);
    }
    Ok(())
}

/// The operator's own choice of an address, so any will do, a mirror in the office's own network too.
fn client(limits: Limits) -> Client {
    Client::new(Rules::everything(), limits)
}

fn offline(url: &str) -> String {
    format!(
        "reach {url}. Without a way to the Internet, bring the file by other means and load it with \
         `openstack image create --disk-format qcow2 --public --file FILE NAME`"
    )
}
