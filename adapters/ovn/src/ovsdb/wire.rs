// SPDX-License-Identifier: Apache-2.0
//! JSON-RPC 1.0 as OVSDB speaks it: JSON objects one after another on a stream, with no framing between them.

use serde_json::{Value, json};

/// One message from the other side.
#[derive(Debug)]
pub(crate) enum Message {
    Request { method: String, params: Value, id: Value },
    Notification { method: String, params: Value },
    Response { id: Value, answer: Result<Value, Value> },
}

/// Cuts a stream of bytes into JSON objects. Each byte is looked at once, however the stream is torn apart.
#[derive(Default)]
pub(crate) struct Splitter {
    held: Vec<u8>,
    scanned: usize,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Splitter {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// The next whole message, if one has arrived.
    pub(crate) fn next_message(&mut self) -> Option<Result<Message, String>> {
        while let Some(&byte) = self.held.get(self.scanned) {
            self.scanned += 1;
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        let whole: Vec<u8> = self.held.drain(..self.scanned).collect();
                        self.scanned = 0;
                        return Some(parse(&whole));
                    }
                }
                _ => {}
            }
        }
        None
    }
}

/// A request that wants an answer.
pub(crate) fn request(method: &str, params: &Value, id: u64) -> Vec<u8> {
    json!({"method": method, "params": params, "id": id}).to_string().into_bytes()
}

/// The answer to an `echo` of the other side.
pub(crate) fn response(result: &Value, id: &Value) -> Vec<u8> {
    json!({"result": result, "error": null, "id": id}).to_string().into_bytes()
}

fn parse(bytes: &[u8]) -> Result<Message, String> {
    let mut value: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let id = value["id"].take();
    let params = value["params"].take();
    Ok(match value["method"].take() {
        Value::String(method) if id.is_null() => Message::Notification { method, params },
        Value::String(method) => Message::Request { method, params, id },
        _ => Message::Response {
            id,
            answer: match value["error"].take() {
                Value::Null => Ok(value["result"].take()),
                error => Err(error),
            },
        },
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[test]
    fn messages_are_found_wherever_the_stream_is_torn() {
        let stream = br#"{"id":1,"result":["}\"{"],"error":null} {"id":null,"method":"update2","params":[{}]}{"id":"e","method":"echo","params":["x"]}"#;
        for step in 1..stream.len() {
            let mut splitter = Splitter::default();
            let mut found = Vec::new();
            for piece in stream.chunks(step) {
                splitter.push(piece);
                while let Some(message) = splitter.next_message() {
                    found.push(message.unwrap());
                }
            }
            let [
                Message::Response { answer: Ok(result), .. },
                Message::Notification { method: update, .. },
                Message::Request { method: echo, id, .. },
            ] = found.as_slice()
            else {
                panic!("pieces of {step}: {found:?}");
            };
            assert_eq!(*result, json!(["}\"{"]));
            assert_eq!((update.as_str(), echo.as_str(), id), ("update2", "echo", &json!("e")));
        }
    }
}
