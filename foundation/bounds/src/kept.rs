// SPDX-License-Identifier: Apache-2.0
//! Bodies that keep their place for as long as they flow.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};

/// A body that keeps something (its place) for as long as it lives.
pub struct Kept<B, T> {
    body: B,
    _with: T,
}

impl<B, T> Kept<B, T> {
    pub fn new(body: B, with: T) -> Self {
        Self { body, _with: with }
    }
}

impl<B: Body + Unpin, T: Unpin> Body for Kept<B, T> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
