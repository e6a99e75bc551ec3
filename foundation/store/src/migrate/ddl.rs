// SPDX-License-Identifier: Apache-2.0
//! The few words by which PostgreSQL's table definitions differ from SQLite's.

/// Translates a migration: `BLOB` is `BYTEA`, `INTEGER` holds 64 bits as it does on SQLite, `TEXT` compares byte by
/// byte as it does on SQLite, whatever the database's locale, and `WITHOUT ROWID` has no counterpart. Types are written in
/// capitals, so that a column may be called `blob`.
pub(crate) fn ddl(sql: &str) -> String {
    let mut translated = String::with_capacity(sql.len() + sql.len() / 4);
    let mut previous = String::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let length = token_length(rest, first);
        let (token, after) = rest.split_at(length);
        if first.is_alphabetic() {
            let word = token.to_ascii_uppercase();
            match token {
                "BLOB" => translated.push_str("BYTEA"),
                "INTEGER" => translated.push_str("BIGINT"),
                // CAST(x AS TEXT) names a type, not a column.
                "TEXT" if previous != "AS" => translated.push_str("TEXT COLLATE \"C\""),
                "ROWID" if previous == "WITHOUT" => {
                    let kept = translated.trim_end().len() - "WITHOUT".len();
                    translated.truncate(kept);
                }
                _ => translated.push_str(token),
            }
            previous = word;
        } else {
            translated.push_str(token);
        }
        rest = after;
    }
    translated
}

/// The length of the token that `text` begins with: a word, a quoted text or name, a comment, or one character.
fn token_length(text: &str, first: char) -> usize {
    let until = |end: &str| {
        let from = first.len_utf8();
        text[from..].find(end).map_or(text.len(), |at| from + at + end.len())
    };
    match first {
        '\'' => until("'"),
        '"' => until("\""),
        '-' if text.starts_with("--") => until("\n"),
        '/' if text.starts_with("/*") => until("*/"),
        _ if first.is_alphabetic() => text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len()),
        _ => first.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::ddl;

    #[test]
    fn types_are_translated_and_names_are_not() {
        let ours = "CREATE TABLE t (blob TEXT, text BLOB, n INTEGER PRIMARY KEY) WITHOUT ROWID; -- TEXT\nSELECT CAST(n AS TEXT), 'BLOB' FROM t";
        let theirs = "CREATE TABLE t (blob TEXT COLLATE \"C\", text BYTEA, n BIGINT PRIMARY KEY) ; -- TEXT\nSELECT CAST(n AS TEXT), 'BLOB' FROM t";
        assert_eq!(ddl(ours), theirs);
    }
}
