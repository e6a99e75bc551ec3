// SPDX-License-Identifier: Apache-2.0
//! The list of a folder, as a page. Names are text in it and addresses beside it, whatever they hold.

use std::fmt::Write;

use ::api::{Response, escape_html, respond};
use http::StatusCode;

use super::{beside, words::Words};
use crate::{listing::Entry, object::Shown, place};

const STYLE: &str = "h1 {font-size: 1em; font-weight: bold;} th {text-align: left; padding: 0 1em;} \
                     td {padding: 0 1em;} a {text-decoration: none;} .colsize {text-align: right;}";

pub fn page(path: &str, folder: &str, words: &Words, entries: &[Entry<Shown>]) -> Response {
    let label = match &words.label {
        Some(label) => format!("{label}/{folder}"),
        None => place::name(path).unwrap_or_default(),
    };
    let title = format!("Listing of {}", escape_html(&label));
    let style = match &words.css {
        Some(css) => format!("<link rel=\"stylesheet\" type=\"text/css\" href=\"{}\" />", escape_html(&address(css, folder))),
        None => format!("<style type=\"text/css\">{STYLE}</style>"),
    };
    let mut html = format!(
        "<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"utf-8\" />\n<title>{title}</title>\n{style}\n</head>\n<body>\n\
         <h1 id=\"title\">{title}</h1>\n<table id=\"listing\">\n<tr id=\"heading\"><th class=\"colname\">Name</th>\
         <th class=\"colsize\">Size</th><th class=\"coldate\">Date</th></tr>\n"
    );
    if !folder.is_empty() {
        html.push_str(
            "<tr id=\"parent\" class=\"item\"><td class=\"colname\"><a href=\"../\">../</a></td><td></td><td></td></tr>\n",
        );
    }
    for entry in entries {
        let (name, class, size, date) = match entry {
            Entry::Subdir(name) => (name, "item subdir", String::new(), ""),
            Entry::One(one) => (&one.name, "item", human(one.bytes), one.last_modified.get(..19).unwrap_or_default()),
        };
        let name = name.strip_prefix(folder).unwrap_or(name);
        let (href, shown, date) = (beside(name), escape_html(name), date.replace('T', " "));
        let _ = writeln!(
            html,
            "<tr class=\"{class}\"><td class=\"colname\"><a href=\"{href}\">{shown}</a></td>\
             <td class=\"colsize\">{size}</td><td class=\"coldate\">{date}</td></tr>"
        );
    }
    html.push_str("</table>\n</body>\n</html>\n");
    respond(StatusCode::OK, "text/html; charset=UTF-8", html)
}

/// One style for all folders: from the root of the container, unless it says where else it is.
fn address(css: &str, folder: &str) -> String {
    if css.starts_with('/') || css.starts_with("https://") || css.starts_with("http://") {
        return css.to_owned();
    }
    "../".repeat(folder.matches('/').count()) + css
}

fn human(bytes: u64) -> String {
    let mut left = bytes as f64;
    for unit in ["", "K", "M", "G", "T"] {
        if left < 1024.0 {
            return if unit.is_empty() { bytes.to_string() } else { format!("{left:.1}{unit}") };
        }
        left /= 1024.0;
    }
    format!("{left:.1}P")
}
