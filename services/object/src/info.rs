// SPDX-License-Identifier: Apache-2.0
//! `/info`: what this store can and how much it takes. What is not here is not there.

use std::sync::Arc;

use api::{Access, Cx, Reply, Routes, escape_html, json, respond};
use http::StatusCode;
use serde_json::json;

use crate::{Objects, limits};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("info", routes);

fn routes() -> Routes<Objects> {
    Routes::new().get("/info", Access::Public, info).get("/healthcheck", Access::Public, healthcheck).get(
        "/crossdomain.xml",
        Access::Public,
        crossdomain,
    )
}

async fn info(_: Arc<Objects>, _: Cx) -> Reply {
    let document = json!({
        "swift": {
            "version": "2.33.0",
            "account_autocreate": true,
            "allow_account_management": false,
            "account_listing_limit": limits::LISTING,
            "container_listing_limit": limits::LISTING,
            "max_account_name_length": limits::ACCOUNT_NAME,
            "max_container_name_length": limits::CONTAINER_NAME,
            "max_object_name_length": limits::OBJECT_NAME,
            "max_meta_name_length": limits::META_NAME,
            "max_meta_value_length": limits::META_VALUE,
            "max_meta_count": limits::META_COUNT,
            "max_meta_overall_size": limits::META_OVERALL,
            "max_file_size": limits::OBJECT_SIZE,
            "max_header_size": 8192,
            "extra_header_count": 0,
            "strict_cors_mode": true,
            "cors_expose_headers": [],
            "policies": [{"name": limits::POLICY, "default": true, "aliases": limits::POLICY}],
        },
        "account_quotas": {},
        "container_quotas": {},
        "bulk_upload": {
            "max_containers_per_extraction": limits::ARCHIVED,
            "max_failed_extractions": limits::FAILED,
        },
        "bulk_delete": {
            "max_deletes_per_request": limits::DELETES,
            "max_failed_deletes": limits::DELETES,
        },
        "crossdomain": {},
        "formpost": {"allowed_digests": ["sha1", "sha256", "sha512"], "deprecated_digests": ["sha1"]},
        "staticweb": {},
        "versioned_writes": {"allowed_flags": ["x-versions-location", "x-history-location"]},
        "dlo": {"max_segments": limits::LISTING},
        "slo": {
            "max_manifest_segments": limits::SEGMENTS,
            "max_manifest_size": limits::MANIFEST,
            "min_segment_size": 1,
        },
        "tempurl": {
            "methods": ["GET", "HEAD", "PUT", "POST", "DELETE"],
            "allowed_digests": ["sha256", "sha512"],
            "incoming_remove_headers": [],
            "incoming_allow_headers": [],
            "outgoing_remove_headers": [],
            "outgoing_allow_headers": [],
        },
    });
    json(StatusCode::OK, &document)
}

async fn healthcheck(_: Arc<Objects>, _: Cx) -> Reply {
    Ok(respond(StatusCode::OK, "text/plain", "OK"))
}

/// Which sites' old plug-ins may read here: those that the operator names. The dashboard and all services are at the same
/// address, so nobody is let in unless he says so.
async fn crossdomain(room: Arc<Objects>, _: Cx) -> Reply {
    let sites = room.settings.cross_domain.iter();
    let allowed: String =
        sites.map(|site| format!("<allow-access-from domain=\"{}\" secure=\"true\" />\n", escape_html(site))).collect();
    let text = format!(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE cross-domain-policy SYSTEM \
         \"http://www.adobe.com/xml/dtds/cross-domain-policy.dtd\" >\n<cross-domain-policy>\n{allowed}</cross-domain-policy>"
    );
    Ok(respond(StatusCode::OK, "application/xml", text))
}
