// SPDX-License-Identifier: Apache-2.0
//! The namespaces that clients expect to find, as data files. Each is put into the tables once.

use std::sync::Arc;

use store::{Actor, Tx, params};

use super::namespace::{New, Whole};
use crate::{Error, Image};

const FILES: &[&str] = &[
    include_str!("stock/common_image_properties.json"),
    include_str!("stock/operating_system.json"),
    include_str!("stock/libvirt.json"),
    include_str!("stock/libvirt_image.json"),
    include_str!("stock/hypervisor.json"),
    include_str!("stock/cpu_topology.json"),
    include_str!("stock/cpu_pinning.json"),
    include_str!("stock/memory_backing.json"),
    include_str!("stock/firmware.json"),
    include_str!("stock/watchdog.json"),
    include_str!("stock/flavor_quota.json"),
    include_str!("stock/instance_data.json"),
    include_str!("stock/volume_type.json"),
];

/// Puts the stock namespaces there that never were. One that the operator removed or changed stays as he wants it.
pub async fn ensure(room: &Image) -> Result<(), Error> {
    let wrong = |why: String| Error::Invalid(format!("A stock namespace cannot be read: {why}"));
    let mut stock: Vec<Whole> = Vec::new();
    for file in FILES {
        let new: New = serde_json::from_str(file).map_err(|error| wrong(error.to_string()))?;
        stock.push(new.check("admin").map_err(|fault| wrong(fault.message))?);
    }
    let stock = Arc::new(stock);
    let write = room.store.write(move |tx| {
        let known: Vec<String> = known(tx)?;
        for whole in stock.iter().filter(|whole| !known.contains(&whole.namespace.name)) {
            let name = whole.namespace.name.as_str();
            tx.execute("INSERT INTO metadef_stock (namespace) VALUES ($1)", &params![name])?;
            let is_there = tx.query_opt("SELECT 1 FROM metadef_namespaces WHERE namespace = $1", &params![name])?.is_some();
            if !is_there {
                whole.insert(tx, &Actor::system("image.stock"))?;
            }
        }
        Ok(())
    });
    write.await
}

fn known(tx: &mut Tx) -> Result<Vec<String>, Error> {
    let rows = tx.query("SELECT namespace FROM metadef_stock", &[])?;
    Ok(rows.iter().map(|row| row.get(0)).collect::<Result<_, store::Error>>()?)
}
