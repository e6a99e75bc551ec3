// SPDX-License-Identifier: Apache-2.0
//! S3's words and statuses for what is refused.

use contracts::objects::Refused;
use http::StatusCode;
use s3s::{Body, HttpResponse, S3Error, S3ErrorCode as Code};

pub fn refused(refused: Refused) -> S3Error {
    let code = match &refused {
        Refused::NoBucket => Code::NoSuchBucket,
        Refused::NoObject => Code::NoSuchKey,
        Refused::NoUpload => Code::NoSuchUpload,
        Refused::NotEmpty => Code::BucketNotEmpty,
        Refused::Forbidden => Code::AccessDenied,
        Refused::IsThere => Code::PreconditionFailed,
        Refused::BadPart => Code::InvalidPart,
        Refused::BadOrder => Code::InvalidPartOrder,
        Refused::SmallPart => Code::EntityTooSmall,
        Refused::TooLarge(_) => Code::EntityTooLarge,
        Refused::Invalid(_) => Code::InvalidArgument,
        Refused::BrokeOff(_) => Code::IncompleteBody,
        Refused::TimedOut => Code::RequestTimeout,
        Refused::Full => Code::Custom("InsufficientStorage".into()),
        Refused::Unavailable(_) => Code::ServiceUnavailable,
        Refused::Internal(_) => Code::InternalError,
    };
    if let Refused::Internal(cause) = &refused {
        tracing::error!(%cause, "a request at the S3 door failed");
    }
    let mut error = match &refused {
        Refused::Internal(_) => S3Error::with_message(code, "Something went wrong here; the log says what."),
        _ => S3Error::with_message(code, refused.to_string()),
    };
    if refused == Refused::Full {
        error.set_status_code(StatusCode::INSUFFICIENT_STORAGE);
    }
    error
}

pub fn invalid(message: impl Into<String>) -> S3Error {
    S3Error::with_message(Code::InvalidArgument, message.into())
}

pub fn not_implemented(what: &'static str) -> S3Error {
    S3Error::with_message(Code::NotImplemented, what)
}

/// The answer that says so.
pub fn render(error: S3Error) -> HttpResponse {
    error.to_http_response().unwrap_or_else(|_| {
        let mut response = HttpResponse::new(Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}
