// SPDX-License-Identifier: Apache-2.0
//! Tenants' objects are served at the address of the menus, or at another port of it, and a browser takes a page among them for
//! one of ours. In a sandbox it is nobody's: it runs, and has neither our cookies nor our pages.

use std::sync::Arc;

use api::{Limits, RequestBody, Response, Serves};
use contracts::BoxFuture;
use http::{HeaderValue, Request, header};

/// All but `allow-same-origin`.
const SANDBOX: HeaderValue = HeaderValue::from_static(
    "sandbox allow-scripts allow-forms allow-popups allow-popups-to-escape-sandbox allow-modals allow-downloads",
);
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// A door behind which lies what tenants wrote: all that it says is put into the sandbox.
pub struct Sandboxed(pub Arc<dyn Serves>);

impl Serves for Sandboxed {
    fn limits(&self) -> &Limits {
        self.0.limits()
    }

    fn handle(&self, request: Request<RequestBody>) -> BoxFuture<'_, Response> {
        Box::pin(async move { confined(self.0.handle(request).await) })
    }
}

pub(crate) fn confined(response: Response) -> Response {
    let mut response = unsniffed(response);
    response.headers_mut().entry(header::CONTENT_SECURITY_POLICY).or_insert(SANDBOX);
    response
}

/// What says it is JSON stays JSON, whatever it looks like.
pub(crate) fn unsniffed(mut response: Response) -> Response {
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    response
}
