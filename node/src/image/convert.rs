// SPDX-License-Identifier: Apache-2.0
//! An image of another maker's format becomes one that machines can rest on.

use std::{
    fs::{self, OpenOptions, Permissions},
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
};

use disks::{
    Format, Inspector, Limits,
    cage::{Cage, Image},
};
use work::durable;

use super::{Needed, Ready};
use crate::{
    Error, Result,
    error::{Doing, blocking},
};

/// The log tells of progress in steps of so many percent.
const STEP: u32 = 10;

/// Judges once more, since QEMU's tools will believe what the headers say; converts in the cage; drops the original.
pub(super) async fn convert(cage: &Cage, wanted: &Needed, original: &Path, ready: &Ready) -> Result<()> {
    let (path, format) = (original.to_owned(), wanted.format);
    let virtual_size = blocking(move || judge(&path, format)).await?;
    let cage = cage.clone().for_size(virtual_size.max(wanted.size).max(wanted.disk));
    let from = Image { path: original, format: wanted.format };
    let (image, from_format) = (&wanted.sha512[..12], wanted.format.as_str());
    tracing::info!(image, format = from_format, virtual_size, "an image is converted to qcow2 for this host");
    let mut told = 0;
    let tell = |fraction: f32| {
        let percent = (fraction * 100.0) as u32 / STEP * STEP;
        if percent > told {
            told = percent;
            tracing::info!(image, percent, "an image is being converted");
        }
    };
    cage.convert(from, Image { path: &ready.path, format: ready.format }, tell).await?;
    work::crash::point("node.image.converted");
    let (original, converted) = (original.to_owned(), ready.path.clone());
    blocking(move || {
        // Machines of all users read it, none writes it.
        fs::set_permissions(&converted, Permissions::from_mode(0o444))
            .doing(|| format!("open {} to all", converted.display()))?;
        durable::remove_file(&original).doing(|| format!("remove {}", original.display()))
    })
    .await
}

fn judge(path: &Path, format: Format) -> Result<u64> {
    let reading = || format!("read {}", path.display());
    chown(path, Some(0), Some(0)).doing(reading)?;
    let mut file = OpenOptions::new().read(true).open(path).doing(reading)?;
    let mut inspector = Inspector::new(format, Limits::default());
    let mut piece = vec![0; 1 << 20];
    loop {
        let length = std::io::Read::read(&mut file, &mut piece).doing(reading)?;
        if length == 0 {
            break;
        }
        inspector.feed(&piece[..length]).map_err(unfit)?;
    }
    Ok(inspector.finish().map_err(unfit)?.virtual_size)
}

fn unfit(refusal: disks::Refusal) -> Error {
    Error::Unfit(refusal.to_string())
}
