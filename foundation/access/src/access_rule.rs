// SPDX-License-Identifier: Apache-2.0
//! Access rules: a token of an application credential may be confined to a few requests.
//!
//! A rule names a service, a method, and a path in which `*` and `{anything}` stand for some of one segment, and `**`
//! for anything at all. The path may be written as the service has it or with the service's prefix before it.

use contracts::caller::AccessRule;

/// The longest path that a rule has, Keystone's.
pub const LONGEST_PATH: usize = 225;

/// Whether any of the rules is for this request.
pub fn admit(rules: &[AccessRule], service: &str, method: &str, prefix: &str, path: &str) -> bool {
    rules.iter().any(|rule| {
        let own = rule.path.strip_prefix(prefix).filter(|own| own.starts_with('/')).unwrap_or(&rule.path);
        rule.service == service && rule.method == method && (matches(own, path) || matches(&rule.path, path))
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Literal(u8),
    /// One byte or more, none of them a slash.
    Segment,
    Anything,
}

/// Follows all ways through the pattern at once, so that no pattern makes it slow: at most its length times the
/// path's, and as a rule the first byte that differs is the end.
fn matches(pattern: &str, path: &str) -> bool {
    let parts = parse(pattern);
    let mut at = vec![false; parts.len() + 1];
    at[0] = true;
    pass_anything(&parts, &mut at);
    for byte in path.bytes() {
        let mut next = vec![false; parts.len() + 1];
        for (i, part) in parts.iter().enumerate().filter(|(i, _)| at[*i]) {
            match part {
                Part::Literal(wanted) => next[i + 1] |= *wanted == byte,
                Part::Segment if byte != b'/' => {
                    next[i] = true;
                    next[i + 1] = true;
                }
                Part::Segment => {}
                Part::Anything => next[i] = true,
            }
        }
        pass_anything(&parts, &mut next);
        if !next.contains(&true) {
            return false;
        }
        at = next;
    }
    at[parts.len()]
}

/// `**` also stands for nothing.
fn pass_anything(parts: &[Part], at: &mut [bool]) {
    for (i, part) in parts.iter().enumerate() {
        if at[i] && *part == Part::Anything {
            at[i + 1] = true;
        }
    }
}

fn parse(pattern: &str) -> Vec<Part> {
    let mut parts = Vec::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(first) = rest.bytes().next() {
        let (part, length) = match first {
            b'*' if rest.starts_with("**") => (Part::Anything, 2),
            b'*' => (Part::Segment, 1),
            b'{' => match rest.find('}') {
                Some(end) => (Part::Segment, end + 1),
                None => (Part::Literal(first), 1),
            },
            other => (Part::Literal(other), 1),
        };
        parts.push(part);
        // Literals go byte by byte: the rest may begin within a character, which the bytes of it do not mind.
        rest = match rest.get(length..) {
            Some(rest) => rest,
            None => {
                let end = (1..=4).find(|end| rest.is_char_boundary(*end)).unwrap_or(rest.len());
                parts.extend(rest.as_bytes()[1..end].iter().copied().map(Part::Literal));
                &rest[end..]
            }
        };
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(service: &str, method: &str, path: &str) -> AccessRule {
        AccessRule { id: "r".into(), service: service.into(), method: method.into(), path: path.into() }
    }

    #[test]
    fn patterns_match_as_keystones_do() {
        for (pattern, path, fits) in [
            ("/v2.1/servers", "/v2.1/servers", true),
            ("/v2.1/servers", "/v2.1/servers/x", false),
            ("/v2.1/servers", "/v2x1/servers", false),
            ("/v2.1/servers/*", "/v2.1/servers/x", true),
            ("/v2.1/servers/*", "/v2.1/servers/", false),
            ("/v2.1/servers/*", "/v2.1/servers/x/action", false),
            ("/v2.1/servers/{server_id}/ips", "/v2.1/servers/x-y/ips", true),
            ("/v2.1/servers/{server_id}/ips", "/v2.1/servers/x/y/ips", false),
            ("/v2.1/**", "/v2.1/servers/x/action", true),
            ("/v2.1/**", "/v2.1/", true),
            ("/v2.1/**", "/v2.0/x", false),
            ("/**/os-volume_attachments", "/v2.1/servers/x/os-volume_attachments", true),
            ("/v3/*-groups", "/v3/my-groups", true),
            ("/v3/{open", "/v3/{open", true),
            ("/v3/é*", "/v3/éa", true),
            ("/v3/é", "/v3/e", false),
            ("", "", true),
        ] {
            assert_eq!(matches(pattern, path), fits, "{pattern} {path}");
        }
    }

    #[test]
    fn a_rule_is_for_its_service_and_method() {
        let rules = [rule("compute", "GET", "/v2.1/servers"), rule("image", "GET", "/image/v2/images")];
        let ask = |service, method, path| admit(&rules, service, method, &format!("/{service}"), path);
        assert!(ask("compute", "GET", "/v2.1/servers"));
        assert!(ask("image", "GET", "/v2/images"), "the prefix may be written too");
        assert!(!ask("compute", "POST", "/v2.1/servers"));
        assert!(!ask("network", "GET", "/v2.1/servers"));
        assert!(!ask("compute", "GET", "/v2/images"));
        assert!(!admit(&[], "compute", "GET", "/compute", "/v2.1/servers"));
    }

    #[test]
    fn no_pattern_is_slow() {
        let pattern = "/**a".repeat(LONGEST_PATH / 4);
        let path = "/a".repeat(4000);
        let start = std::time::Instant::now();
        assert!(matches(&pattern, &path));
        assert!(start.elapsed() < std::time::Duration::from_secs(2));
    }
}
