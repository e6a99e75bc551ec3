// SPDX-License-Identifier: Apache-2.0
//! `ferrostack image`: well-known cloud images from their makers into the image service, in one command.

mod catalogue;
mod download;
mod progress;

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use self::{
    catalogue::{Catalogue, Checksum, Entry},
    progress::Progress,
};
use crate::{client::Client, home::Home, operate, say::say};

/// An image's own note of which download it came from.
const SOURCE: &str = "catalogue_checksum";

#[derive(Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// List the images that `fetch` knows
    Catalogue(CatalogueArguments),
    /// Download an image from its maker, check it, and load it for all tenants
    ///
    /// The checksum is the one that the image's maker publishes beside it, fetched over HTTPS. Run again, it changes
    /// nothing unless its maker has published a newer one; the older one is then hidden from lists, and stays for the
    /// machines made from it.
    Fetch(FetchArguments),
}

#[derive(Args)]
struct CatalogueArguments {
    /// A catalogue of your own (TOML, shaped as ours) in the place of the built-in one
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
}

#[derive(Args)]
pub struct FetchArguments {
    /// As `ferrostack image catalogue` lists it, e.g. debian-12
    image: String,
    /// What to call it (default: as in the catalogue)
    #[arg(long)]
    name: Option<String>,
    /// Keep it to the operator's project, until it is shared or made public
    #[arg(long)]
    private: bool,
    #[command(flatten)]
    from: CatalogueArguments,
}

impl Arguments {
    pub fn only_tells(&self) -> bool {
        matches!(self.verb, Verb::Catalogue(_))
    }
}

pub fn run(home: &Home, arguments: &Arguments) -> anyhow::Result<()> {
    match &arguments.verb {
        Verb::Catalogue(from) => {
            for (name, entry) in catalogue::read(from.catalogue.as_deref())? {
                say!("{name:<14} {:<26} log in as {}", entry.title, entry.user);
            }
            Ok(())
        }
        Verb::Fetch(fetch) => operate::as_admin(home, async |admin| {
            let scratch = home.state.join("cache");
            fetch_image(admin, fetch, &scratch).await
        }),
    }
}

pub async fn fetch_image(admin: &Client, arguments: &FetchArguments, scratch: &Path) -> anyhow::Result<()> {
    let catalogue = catalogue::read(arguments.from.catalogue.as_deref())?;
    let entry = find(&catalogue, &arguments.image)?;
    let name = arguments.name.as_deref().unwrap_or(&arguments.image);
    let checksum = download::checksum(entry).await?;
    let had = images_of(admin, name).await?;
    if had.iter().any(|image| image[SOURCE] == checksum.digits()) {
        say!("  = {name}: as its maker publishes it");
        return Ok(());
    }
    std::fs::create_dir_all(scratch).with_context(|| format!("make {}", scratch.display()))?;
    // Gone by itself, also when something fails.
    let file = tempfile::NamedTempFile::new_in(scratch).with_context(|| format!("make a file in {}", scratch.display()))?;
    download::image(entry, &checksum, file.path()).await?;
    let id = load(admin, arguments, name, (entry, &checksum), file.path()).await?;
    for older in had {
        hide(admin, &older).await?;
    }
    say!("  + the image {name} ({id}); log in to its machines as {}", entry.user);
    Ok(())
}

fn find<'a>(catalogue: &'a Catalogue, name: &str) -> anyhow::Result<&'a Entry> {
    catalogue.get(name).with_context(|| {
        let known: Vec<&str> = catalogue.keys().map(String::as_str).collect();
        format!("there is no {name} in the catalogue, which has {}", known.join(", "))
    })
}

/// Those of that name that an earlier run loaded and that are still in lists.
async fn images_of(admin: &Client, name: &str) -> anyhow::Result<Vec<Value>> {
    let query =
        form_urlencoded::Serializer::new(String::new()).append_pair("name", name).append_pair("status", "active").finish();
    let found = admin.get(&format!("/image/v2/images?{query}")).await?;
    let images = found["images"].as_array().cloned().unwrap_or_default();
    Ok(images.into_iter().filter(|image| image[SOURCE].is_string()).collect())
}

async fn load(
    admin: &Client,
    arguments: &FetchArguments,
    name: &str,
    (entry, checksum): (&Entry, &Checksum),
    file: &Path,
) -> anyhow::Result<String> {
    let ask = json!({
        "name": name,
        "disk_format": entry.disk_format,
        "container_format": "bare",
        "visibility": if arguments.private { "private" } else { "public" },
        "os_type": "linux",
        "os_distro": entry.distro,
        "os_version": entry.version,
        "os_admin_user": entry.user,
        SOURCE: checksum.digits(),
    });
    let made = admin.post("/image/v2/images", ask).await?;
    let id = made["id"].as_str().context("the new image has an id")?.to_owned();
    let size = file.metadata().ok().map(|file| file.len());
    let mut progress = Progress::new("loading", size);
    let sent = admin.upload(&format!("/image/v2/images/{id}/file"), file, |bytes| progress.add(bytes)).await;
    if let Err(error) = sent {
        // Of no use without its data; if that fails too, the first error is the one that matters.
        let _ = admin.delete(&format!("/image/v2/images/{id}")).await;
        return Err(error);
    }
    progress.end();
    Ok(id)
}

async fn hide(admin: &Client, image: &Value) -> anyhow::Result<()> {
    let id = image["id"].as_str().context("an image has an id")?;
    let change = json!([{"op": "replace", "path": "/os_hidden", "value": true}]);
    admin.patch(&format!("/image/v2/images/{id}"), "application/openstack-images-v2.1-json-patch", change).await?;
    say!("  + the older one ({id}) is hidden, and kept for its machines");
    Ok(())
}
