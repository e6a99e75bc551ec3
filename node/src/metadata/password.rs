// SPDX-License-Identifier: Apache-2.0
//! `/openstack/<version>/password`: the one thing that a guest says. It goes to the controller, which keeps the first.

use std::time::Duration;

use bytes::Bytes;
use contracts::{
    RefusalKind,
    node::{GuestPassword, MachineDesired},
};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Incoming};
use tokio::time::timeout;
use types::Secret;

use super::server::{Behind, plain, said};
use crate::{Error, guest};

/// A guest that is slower with its word than this is cut off.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn is_at(path: &str) -> bool {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let place = (segments.next(), segments.next(), segments.next(), segments.next());
    matches!(place, (Some("openstack"), Some(version), Some(guest::PASSWORD), None) if guest::has_password(version))
}

/// `machine` is the one that asks; what the request says of that is of no account.
pub(super) async fn answer(
    behind: &dyn Behind,
    machine: Option<Box<MachineDesired>>,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let Some(machine) = machine else { return plain(StatusCode::NOT_FOUND, "there is no such metadata for you\n") };
    let known = machine.metadata.guest_password.as_ref();
    match *request.method() {
        Method::GET | Method::HEAD => said(known.map_or_else(String::new, |password| password.reveal().clone())),
        Method::POST if known.is_some() => already_set(),
        Method::POST => match read(request.into_body()).await {
            Ok(password) => keep(behind, &machine, password).await,
            Err(refusal) => refusal,
        },
        _ => plain(StatusCode::BAD_REQUEST, "the password is read by GET and said by POST\n"),
    }
}

async fn read(body: Incoming) -> Result<String, Response<Full<Bytes>>> {
    const TOO_LARGE: &str = "the password is too large: 1020 bytes may be\n";
    let refuse = |why| plain(StatusCode::BAD_REQUEST, why);
    if body.size_hint().lower() > GuestPassword::LONGEST as u64 {
        return Err(refuse(TOO_LARGE));
    }
    let whole = timeout(PATIENCE, Limited::new(body, GuestPassword::LONGEST).collect()).await;
    let whole = whole.map_err(|_| plain(StatusCode::REQUEST_TIMEOUT, "the password did not come in time\n"))?;
    let bytes = whole.map_err(|_| refuse(TOO_LARGE))?.to_bytes();
    let text = String::from_utf8(bytes.to_vec()).ok().filter(|text| !text.contains('\0'));
    text.ok_or_else(|| refuse("the password is not text; encrypt it and say it as base64\n"))
}

async fn keep(behind: &dyn Behind, machine: &MachineDesired, password: String) -> Response<Full<Bytes>> {
    let kept = behind.say_password(&machine.server_id, GuestPassword { password: Secret::new(password) }).await;
    match kept {
        Ok(()) => said(String::new()),
        Err(Error::Refused(refusal)) if refusal.kind == RefusalKind::Conflict => already_set(),
        Err(Error::Refused(refusal)) if refusal.kind == RefusalKind::NotFound => {
            plain(StatusCode::NOT_FOUND, "there is no such metadata for you\n")
        }
        Err(error) => {
            tracing::warn!(server = %machine.server_id, error = error.chain(), "a guest's password could not be kept");
            plain(StatusCode::SERVICE_UNAVAILABLE, "the password cannot be kept now; say it again\n")
        }
    }
}

fn already_set() -> Response<Full<Bytes>> {
    plain(StatusCode::CONFLICT, "the password was said already\n")
}
