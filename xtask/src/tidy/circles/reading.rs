// SPDX-License-Identifier: Apache-2.0
//! What a source file leans on, read from its words: the paths that it imports and those that it writes out. Neither what is
//! said in comments and strings counts nor what is only there for tests.

#[derive(Debug, Default)]
pub struct Reading {
    pub imports: Vec<Import>,
    /// Paths of two words or more.
    pub written: Vec<Vec<String>>,
    /// Modules that are there for tests only.
    pub for_tests: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// By this name it is spoken of in the file.
    pub name: String,
    pub path: Vec<String>,
    /// `pub use`: others get it from here.
    pub is_offered: bool,
}

pub fn read(text: &str) -> Reading {
    let words = words(text);
    let mut reading = Reading::default();
    let mut at = 0;
    while at < words.len() {
        if begins(&words[at..], &["#", "[", "cfg", "(", "test", ")", "]"]) {
            at = past_test(&words, at + 7, &mut reading.for_tests);
        } else if begins(&words[at..], &["const", "DRAWER"]) || begins(&words[at..], &["const", "KIND", ":", "Kind"]) {
            // A drawer's value is its table of contents, and what it keeps in OVN is a part of it.
            at += words[at..].iter().position(|word| word == "=").unwrap_or(1);
            at = past_statement(&words, at);
        } else if words[at] == "use" && words.get(at + 1).is_some_and(|next| next != "<") {
            let is_offered = at > 0 && (words[at - 1] == "pub" || words[at - 1] == ")");
            at = tree(&words, at + 1, &[], is_offered, &mut reading.imports);
        } else if is_name(&words[at]) && words.get(at + 1).is_some_and(|next| next == "::") {
            let mut path = vec![words[at].clone()];
            while words.get(at + 1).is_some_and(|word| word == "::") && words.get(at + 2).is_some_and(|word| is_name(word)) {
                path.push(words[at + 2].clone());
                at += 2;
            }
            reading.written.push(path);
            at += 1;
        } else {
            at += 1;
        }
    }
    reading
}

/// Behind `#[cfg(test)]`: passes over the thing that it stands before.
fn past_test(words: &[String], at: usize, for_tests: &mut Vec<String>) -> usize {
    if let Some(name) = words[at..].iter().position(|word| word == "mod").and_then(|mod_at| words.get(at + mod_at + 1))
        && words[at..].iter().take_while(|word| *word != ";" && *word != "{").any(|word| word == "mod")
    {
        for_tests.push(name.clone());
    }
    past_statement(words, at)
}

/// Behind a statement that ends with a sign of its own or with its block.
fn past_statement(words: &[String], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while let Some(word) = words.get(at) {
        at += 1;
        match word.as_str() {
            "{" | "[" | "(" => depth += 1,
            "}" | "]" | ")" => depth = depth.saturating_sub(1),
            ";" if depth == 0 => return at,
            _ => {}
        }
        if depth == 0 && word == "}" {
            return at;
        }
    }
    at
}

/// One branch of what is imported, from `at` on; answers where it ends.
fn tree(words: &[String], mut at: usize, above: &[String], is_offered: bool, imports: &mut Vec<Import>) -> usize {
    let mut path = above.to_vec();
    while let Some(word) = words.get(at) {
        at += 1;
        match word.as_str() {
            "::" => {}
            "{" => {
                while words.get(at).is_some_and(|word| word != "}" && word != ";") {
                    at = tree(words, at, &path, is_offered, imports);
                    if words.get(at).is_some_and(|word| word == ",") {
                        at += 1;
                    }
                }
                return at + 1;
            }
            "as" => {
                let name = words.get(at).cloned().unwrap_or_default();
                imports.push(Import { name, path, is_offered });
                return at + 1;
            }
            "," | "}" | ";" => {
                at -= 1;
                break;
            }
            // What is taken by its own name from a list, or everything: the module itself.
            "self" if !path.is_empty() => {}
            "*" => {}
            name => path.push(name.to_owned()),
        }
    }
    imports.push(Import { name: path.last().cloned().unwrap_or_default(), path, is_offered });
    at
}

fn begins(words: &[String], with: &[&str]) -> bool {
    words.len() >= with.len() && words.iter().zip(with).all(|(word, expected)| word == expected)
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Names, `::`, and single signs; without comments, texts and characters.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
        } else if let Some(hashes) = raw_text(rest) {
            let end = format!("\"{}", "#".repeat(hashes));
            let begin = rest.find('"').map_or(rest.len(), |at| at + 1);
            rest = rest[begin..].find(&end).map_or("", |at| &rest[begin + at + end.len()..]);
        } else if first == '"' {
            rest = past(&rest[1..], '"');
        } else if first == '\'' {
            // A character, or the name of a lifetime.
            let is_character = rest[1..].starts_with('\\') || rest[1..].chars().nth(1) == Some('\'');
            rest = if is_character { past(&rest[1..], '\'') } else { &rest[1..] };
        } else if first.is_alphanumeric() || first == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            words.push(rest[..end].to_owned());
            rest = &rest[end..];
        } else if rest.starts_with("::") {
            words.push("::".to_owned());
            rest = &rest[2..];
        } else {
            if !first.is_whitespace() {
                words.push(first.to_string());
            }
            rest = &rest[first.len_utf8()..];
        }
    }
    words
}

/// Behind the next such sign that is not escaped.
fn past(text: &str, sign: char) -> &str {
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            c if c == sign => return &text[at + c.len_utf8()..],
            _ => {}
        }
    }
    ""
}

/// With how many hashes a raw text begins here.
fn raw_text(text: &str) -> Option<usize> {
    let rest = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    rest[hashes..].starts_with('"').then_some(hashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Vec<String> {
        text.split("::").map(str::to_owned).collect()
    }

    #[test]
    fn imports_are_read_branch_by_branch() {
        let reading = read("pub use a::{b, c::{self, D as E}, f::*};\nuse super::g;");
        let told: Vec<_> = reading.imports.iter().map(|it| (it.name.as_str(), it.path.join("::"), it.is_offered)).collect();
        let expected =
            [("b", "a::b", true), ("c", "a::c", true), ("E", "a::c::D", true), ("f", "a::f", true), ("g", "super::g", false)];
        assert_eq!(told, expected.map(|(name, path, is_offered)| (name, path.to_owned(), is_offered)));
    }

    #[test]
    fn comments_texts_and_tests_are_passed_over() {
        let text = "// crate::a::b\nfn f<'a>() { g(\"crate::c \\\" crate::d\", r#\"crate::e\"#, '\\'', 'x'); crate::h::i(); }\n\
                    #[cfg(test)]\nmod tests { use super::*; fn t() { crate::j::k() } }\n#[cfg(test)]\npub mod world;\nl::m();";
        let reading = read(text);
        assert_eq!(reading.written, [path("crate::h::i"), path("l::m")]);
        assert!(reading.imports.is_empty());
        assert_eq!(reading.for_tests, ["tests", "world"]);
    }
}
