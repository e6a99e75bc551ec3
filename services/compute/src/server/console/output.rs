// SPDX-License-Identifier: Apache-2.0
//! os-getConsoleOutput: what the guest wrote to its serial console, asked of its node.

use std::sync::Arc;

use api::{Cx, Fault, Reply};
use contracts::node::{Answer, Ask};
use http::StatusCode;
use serde_json::{Value, json};

use super::super::{guard::Guard, operation::admission::Act};
use crate::{
    Compute,
    input::{Object, argument, whole},
};

pub(in super::super) async fn output(room: Arc<Compute>, mut cx: Cx) -> Reply {
    let mut lines = None;
    let argument = argument(&mut cx, "os-getConsoleOutput").await?;
    if !argument.is_null() {
        let mut ask = Object::from_value("os-getConsoleOutput", argument)?;
        // -1 and null mean all of it.
        lines = match ask.take("length") {
            None | Some(Value::Null) => None,
            Some(value) => u64::try_from(whole("length", &value, -1..=i64::MAX)?).ok(),
        };
        ask.finish()?;
    }
    let guard = Guard::of(&cx)?;
    let server = room.store.read(move |tx| guard.admit(tx, Act::ConsoleOutput)).await?;
    let node = match &server.node_id {
        Some(node) if server.role_of(node).is_some() => node.clone(),
        _ => return Err(Fault::conflict(format!("Instance {} is not ready: it has no machine on a host.", server.id))),
    };
    match room.nodes.ask(&node, Ask::ConsoleLog { server_id: server.id.clone(), lines }).await? {
        Answer::ConsoleLog { text } => api::json(StatusCode::OK, &json!({"output": text})),
        Answer::Refused { message } => Err(Fault::conflict(format!("Instance {} has no console output: {message}", server.id))),
        Answer::Opened | Answer::Inventory { .. } | Answer::Removed => {
            Err(Fault::internal("a node answered something else to a question for a console log"))
        }
    }
}
