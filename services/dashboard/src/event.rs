// SPDX-License-Identifier: Apache-2.0
//! `GET /dashboard/events`: what changes, told at once, as the browser's `EventSource` hears it. It says which thing is another
//! now and not how: the page reads that by the API, whose rights they are.
//!
//! `open` says where the stream stands, `change` tells of a thing, `gap` that some were missed and all is to be read anew, `end`
//! that the session is over.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use api::{Fault, stream};
use bounds::{Full, HeededBody, Kept};
use bytes::Bytes;
use contracts::caller::{Authenticator, Caller, Unauthenticated};
use futures_util::stream::unfold;
use http::{HeaderValue, StatusCode, header, request::Parts};
use http_body_util::BodyExt;
use serde_json::json;
use store::{EventFilter, Heard, Personal, Store, StoredEvent, Subscription};
use tokio::{
    sync::watch,
    time::{Interval, MissedTickBehavior, interval},
};
use types::Timestamp;

use crate::{
    Dashboard,
    cookie::{self, ENDED, STATE},
    elsewhere,
    reply::{Answer, private},
};

/// How often it is asked whether the token is still good.
const LOOK: Duration = Duration::from_millis(500);
/// Looks between two signs of life, so that neither end takes the other for gone.
const LOOKS_TO_A_SIGN: u32 = 30;
/// Whoever was away for longer reads all anew rather than all that happened.
const LONGEST_AWAY: Duration = Duration::from_secs(600);
/// What is nobody's project's, but somebody's own.
const PERSONAL: &str = "keypair";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventLimits {
    pub streams: usize,
    pub streams_per_user: usize,
}

impl Default for EventLimits {
    fn default() -> Self {
        Self { streams: 256, streams_per_user: 16 }
    }
}

pub(crate) async fn follow(dashboard: &Dashboard, parts: &Parts) -> Answer {
    elsewhere::refuse_other_pages(parts)?;
    let token = cookie::token(dashboard, &parts.headers)?;
    let (authenticator, store) = (&dashboard.parts.authenticator, &dashboard.parts.store);
    let caller = match authenticator.caller(token).await {
        Ok(caller) => caller,
        Err(Unauthenticated::BadToken) => return Err(Fault::unauthorized().header(STATE, ENDED)),
        Err(Unauthenticated::Unavailable(_)) => return Err(Fault::unavailable("No session can be checked now. Try again.")),
    };
    if caller.access_rules.is_some() {
        return Err(Fault::forbidden("The rules of the application credential behind this session do not allow this."));
    }
    let place = dashboard.streams.enter_busy(caller.user.id.to_string()).map_err(no_place)?;
    let known = parts.headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let (after, begin) = begin(store, known).await?;
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let following = Following {
        begin: Some(begin),
        subscription: store.subscribe(after, filter(dashboard, &caller)),
        authenticator: authenticator.clone(),
        token: token.to_owned(),
        looks,
        silent_for: 0,
        stopping: dashboard.parts.stopping.clone(),
        is_over: false,
    };
    let pieces = unfold(following, |mut following| async move {
        let piece = following.next().await?;
        Some((Ok(Bytes::from(piece)), following))
    });
    let mut response = private(stream(StatusCode::OK, "text/event-stream", pieces));
    // A proxy that gathers answers before it hands them on would make all of this late.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    let idle = dashboard.parts.door.limits().pace.idle;
    Ok(response.map(|body| HeededBody::new(Kept::new(body, place), idle).boxed_unsync()))
}

/// Whose things one hears of: of all, of one's project and one's own, or of one's own alone.
fn filter(dashboard: &Dashboard, caller: &Caller) -> EventFilter {
    let enforcer = dashboard.parts.policies.now();
    if enforcer.scope(dashboard.parts.hears_all, caller).is_ok_and(|allowed| allowed.scope().is_all()) {
        return EventFilter::default();
    }
    let personal = Personal { resource_type: PERSONAL.to_owned(), user_id: caller.user.id.to_string() };
    // A token without a project hears of no project: none has an empty id.
    let project_id = Some(caller.project_id().map(ToString::to_string).unwrap_or_default());
    EventFilter { project_id, personal: Some(personal), ..EventFilter::default() }
}

/// From where the stream goes on, and what is said first: after what the browser has heard last, if that is not long ago.
async fn begin(store: &Store, known: Option<&str>) -> Result<(i64, String), Fault> {
    let newest = store.last_event_id().await?;
    let Some(known) = known else { return Ok((newest, said("open", newest, "{}"))) };
    let known: i64 = known.parse().map_err(|_| Fault::bad_request("Last-Event-ID is the id of an event."))?;
    let is_recent = known == newest || known < newest && was_of_late(store, known).await?;
    match is_recent {
        true => Ok((known, said("open", known, "{}"))),
        // From too long ago, or from a database that was put back since.
        false => Ok((newest, said("gap", newest, "{}"))),
    }
}

async fn was_of_late(store: &Store, id: i64) -> Result<bool, Fault> {
    let found = store.events(id.saturating_sub(1), 1, EventFilter::default()).await?;
    let long_ago = Timestamp::now().micros() - i64::try_from(LONGEST_AWAY.as_micros()).unwrap_or(i64::MAX);
    Ok(found.first().is_some_and(|event| event.id == id && event.at.micros() >= long_ago))
}

/// One browser that listens.
struct Following {
    begin: Option<String>,
    subscription: Subscription,
    authenticator: Arc<dyn Authenticator>,
    token: String,
    looks: Interval,
    silent_for: u32,
    stopping: watch::Receiver<bool>,
    is_over: bool,
}

enum Happened {
    Heard(store::Result<Heard>),
    TimeWentBy,
}

impl Following {
    async fn next(&mut self) -> Option<String> {
        if self.is_over {
            return None;
        }
        if let Some(begin) = self.begin.take() {
            return Some(begin);
        }
        loop {
            let happened = tokio::select! {
                heard = self.subscription.next() => Happened::Heard(heard),
                _ = self.looks.tick() => Happened::TimeWentBy,
                // Whoever asks again is answered by the controller that comes after.
                _ = self.stopping.wait_for(|stopping| *stopping) => return None,
            };
            // Nothing is told to whom the token was taken from a moment ago.
            if !self.is_good().await {
                self.is_over = true;
                return Some("event: end\ndata: {}\n\n".to_owned());
            }
            match happened {
                Happened::Heard(heard) => {
                    self.silent_for = 0;
                    return told(heard);
                }
                Happened::TimeWentBy => self.silent_for += 1,
            }
            if self.silent_for >= LOOKS_TO_A_SIGN {
                self.silent_for = 0;
                return Some(": still here\n\n".to_owned());
            }
        }
    }

    /// While nobody can say so, it is not said to be bad.
    async fn is_good(&self) -> bool {
        !matches!(self.authenticator.caller(&self.token).await, Err(Unauthenticated::BadToken))
    }
}

fn told(heard: store::Result<Heard>) -> Option<String> {
    match heard {
        Ok(Heard::Events(events)) => Some(events.iter().map(|event| changed(event)).collect()),
        Ok(Heard::Gap { through, .. }) => Some(said("gap", through, "{}")),
        Err(error) => {
            tracing::warn!(%error, "the events could not be read for a browser; it comes again");
            None
        }
    }
}

fn changed(event: &StoredEvent) -> String {
    let what = event.action.rsplit('.').next().unwrap_or_default();
    let data = json!({"type": event.resource_type, "id": event.resource_id, "what": what, "project_id": event.project_id});
    said("change", event.id, &data.to_string())
}

/// One message. JSON has no bare line breaks, so that no name can begin a line of its own.
fn said(kind: &str, id: i64, data: &str) -> String {
    let mut message = String::new();
    let _ = write!(message, "id: {id}\nevent: {kind}\ndata: {data}\n\n");
    message
}

fn no_place(full: Full) -> Fault {
    let again = HeaderValue::from_static("10");
    match full {
        Full::Yours => {
            let message = "As many pages of yours follow the events as may at once. Close one, and this one follows by itself.";
            Fault::new(StatusCode::TOO_MANY_REQUESTS, message).header(header::RETRY_AFTER, again)
        }
        Full::All => {
            Fault::unavailable("As many pages follow the events as may at once. Try again.").header(header::RETRY_AFTER, again)
        }
    }
}
