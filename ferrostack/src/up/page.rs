// SPDX-License-Identifier: Apache-2.0
//! The page of the first machine. It lies on a volume, so that it outlives the machine: whoever takes another machine and
//! attaches the volume has it there.

use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::progress::{Outcome, Telling, step_telling};
use crate::client::Client;

/// GiB, the least that there is.
const SIZE: u64 = 1;
const MADE: Duration = Duration::from_secs(60);
/// For the first boot of a machine that answers on ssh already, and for a later one.
const PATIENCE: Duration = Duration::from_secs(120);
const PATIENCE_LATER: Duration = Duration::from_secs(20);
const AGAIN: Duration = Duration::from_millis(300);

/// The tenant's volume `demo`, found or made.
pub async fn volume(tenant: &Client) -> anyhow::Result<Outcome<String>> {
    let mut made = false;
    let found = tenant.get("/volume/v3/volumes/detail?name=demo").await?;
    let volumes = found["volumes"].as_array().cloned().unwrap_or_default();
    let mut volume = match volumes.into_iter().find(|volume| volume["name"] == "demo") {
        Some(volume) => volume,
        None => {
            made = true;
            let ask = json!({"volume": {"name": "demo", "size": SIZE, "description": "Holds the page of the machine `demo`"}});
            tenant.post("/volume/v3/volumes", ask).await?["volume"].take()
        }
    };
    let id = volume["id"].as_str().context("a volume has an id")?.to_owned();
    let deadline = Instant::now() + MADE;
    loop {
        match volume["status"].as_str() {
            Some("available" | "in-use" | "reserved" | "attaching") => return Ok(Outcome::of(made, id)),
            Some("creating") if Instant::now() < deadline => sleep(AGAIN).await,
            status => bail!("it is {}; `ferrostack status` may know why", status.unwrap_or("in no known state")),
        }
        volume = tenant.get(&format!("/volume/v3/volumes/{id}")).await?["volume"].take();
    }
}

/// What a server is told so that it has the volume, beside its root.
pub fn disks(image: &str, volume: &str) -> Value {
    json!([
        {"boot_index": 0, "uuid": image, "source_type": "image", "destination_type": "local"},
        {"boot_index": -1, "uuid": volume, "source_type": "volume", "destination_type": "volume", "delete_on_termination": false},
    ])
}

/// What the guest does at its first boot, and what it begins at each: it mounts the volume, which it knows by its serial
/// number, and serves what lies on it. A volume that is not empty is left as it is.
pub fn user_data(volume: &str) -> String {
    let serial: String = volume.chars().take(20).collect();
    format!(
        r#"#!/bin/sh
cat >/usr/sbin/serve-page <<'END'
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
disk=
until [ -n "$disk" ]; do
  for at in /sys/block/*/serial; do
    [ "$(cat "$at" 2>/dev/null)" != "{serial}" ] || disk=/dev/$(basename "$(dirname "$at")")
  done
  [ -n "$disk" ] || sleep 1
done
mkdir -p /srv
[ -n "$(blkid "$disk")" ] || mke2fs -q -t ext4 -L page "$disk"
grep -q " /srv " /proc/mounts || mount "$disk" /srv || {{ sleep 5; exit 1; }}
if [ ! -e /srv/index.html ]; then
  cat >/srv/index.new <<'PAGE'
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>A page on a volume</title>
<h1>This page lies on a volume</h1>
<p>The machine <code>demo</code> serves it from <code>/srv</code>. Rebuild the machine, or delete it and attach the volume to
another one: the page stays.</p>
PAGE
  sync
  mv /srv/index.new /srv/index.html
  sync
fi
exec httpd -f -p 80 -h /srv
END
chmod 755 /usr/sbin/serve-page
grep -q serve-page /etc/inittab || echo "::respawn:/usr/sbin/serve-page" >>/etc/inittab
kill -HUP 1
"#
    )
}

/// Its address, if it answers. That one which was made now does not is a failure; else it is its owner's affair.
pub async fn see(floating: &str, made_now: bool) -> anyhow::Result<Option<String>> {
    let url = format!("http://{floating}/");
    let client = Client::new(&format!("http://{floating}:80"), None)?;
    let telling = Telling::default();
    let looked = async {
        let until = Instant::now() + if made_now { PATIENCE } else { PATIENCE_LATER };
        let mut first = true;
        while !client.answers("/").await {
            first = false;
            if Instant::now() > until {
                let how = format!("nothing is shown at {url}; in the machine, /usr/sbin/serve-page serves it");
                return if made_now { Err(anyhow::anyhow!(how)) } else { Ok(Outcome::Otherwise(None, how)) };
            }
            sleep(AGAIN).await;
        }
        Ok(Outcome::of(!first, Some(url.clone())))
    };
    step_telling("its page, from the volume `demo`", &telling, looked).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_looks_for_the_serial_that_its_volume_shows() {
        let script = user_data("01234567-89ab-cdef-0123-456789abcdef");
        assert!(script.contains("\"01234567-89ab-cdef-0\""), "virtio shows twenty bytes");
        assert!(script.starts_with("#!/bin/sh\n") && !script.contains("{{"));
    }
}
