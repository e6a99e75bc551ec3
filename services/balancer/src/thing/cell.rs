// SPDX-License-Identifier: Apache-2.0
//! A field of a thing as a column of its table.

use std::{collections::BTreeMap, net::IpAddr};

use contracts::vips::Vip;
use serde_json::json;
use store::{Error, Result, Row, Value};
use types::{HealthMonitorId, ListenerId, LoadBalancerId, MemberId, NetworkId, PoolId, PortId, ProjectId, SubnetId, Timestamp};

use crate::pool::Persistence;

pub(crate) trait Cell: Sized {
    fn read(row: &Row, place: usize) -> Result<Self>;
    fn write(&self) -> Value;
}

macro_rules! plain {
    ($($type:ty),+) => {$(
        impl Cell for $type {
            fn read(row: &Row, place: usize) -> Result<Self> { row.get(place) }
            fn write(&self) -> Value { Value::from(self.clone()) }
        }
        impl Cell for Option<$type> {
            fn read(row: &Row, place: usize) -> Result<Self> { row.get(place) }
            fn write(&self) -> Value { Value::from(self.clone()) }
        }
    )+};
}

plain!(
    String,
    i64,
    bool,
    Timestamp,
    HealthMonitorId,
    ListenerId,
    LoadBalancerId,
    MemberId,
    NetworkId,
    PoolId,
    PortId,
    ProjectId,
    SubnetId
);

/// What is read and written whole.
macro_rules! documents {
    ($($type:ty),+) => {$(
        impl Cell for $type {
            fn read(row: &Row, place: usize) -> Result<Self> { row.json(place) }
            fn write(&self) -> Value { Value::from(json!(self)) }
        }
    )+};
}

documents!(Vec<String>, BTreeMap<String, String>, Vip, Option<Persistence>);

impl Cell for IpAddr {
    fn read(row: &Row, place: usize) -> Result<Self> {
        let text: &str = row.get(place)?;
        text.parse().map_err(|_| Error::Column { index: place, wanted: "address", found: "text" })
    }

    fn write(&self) -> Value {
        Value::from(self.to_string())
    }
}

impl Cell for Option<IpAddr> {
    fn read(row: &Row, place: usize) -> Result<Self> {
        let text: Option<&str> = row.get(place)?;
        let wrong = |_| Error::Column { index: place, wanted: "address", found: "text" };
        text.map(|text| text.parse().map_err(wrong)).transpose()
    }

    fn write(&self) -> Value {
        Value::from(self.map(|address| address.to_string()))
    }
}
