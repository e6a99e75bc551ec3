// SPDX-License-Identifier: Apache-2.0
//! Lists by keyset: filters, sorts and a marker become one statement for both engines.
//!
//! A page begins after the marker's row, wherever that row now stands in the order, so pages neither repeat nor skip
//! rows when others come and go, and the thousandth page costs what the first does. The marker is an id; its sort
//! values are looked up by the same statement. Names of tables and columns are `&'static str`: a client's text cannot
//! become SQL, the room maps it to one of its own columns first.
//!
//! NULL sorts as the smallest value, on both engines.
//!
//! Invariant: pages are complete and without repeats while other rows are inserted (test: `pages_are_complete_under_concurrent_inserts`).

use std::fmt::Write;

use crate::session::Engine;
use crate::tx::Tx;
use crate::{Error, Result, Row, Value};

/// What a statement may hold. Both engines run such a one: SQLite takes expressions a thousand deep and 32,766 values,
/// PostgreSQL as many values. What clients ask for beyond is [`Error::TooWide`], before anything is built of it.
const MOST_CONDITIONS: usize = 600;
const MOST_VALUES: usize = 16_384;
const MOST_KEYS: usize = 32;

/// Which way a column is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Asc,
    Desc,
}

/// A list query under construction.
#[derive(Clone, Debug)]
pub struct Select {
    table: &'static str,
    columns: &'static str,
    conditions: Vec<Condition>,
    keys: Vec<Key>,
    marker: Option<Value>,
    limit: Option<u32>,
    /// No row can meet the conditions, so nobody need be asked.
    is_empty: bool,
}

#[derive(Clone, Debug)]
struct Condition {
    /// SQL with a `?` for each value.
    sql: String,
    values: Vec<Value>,
    /// Whether a marker must meet it too.
    scopes_marker: bool,
}

#[derive(Clone, Copy, Debug)]
struct Key {
    column: &'static str,
    direction: Direction,
    nullable: bool,
}

impl Select {
    /// Selects `columns` ("id, name, status") of `table`.
    pub fn new(table: &'static str, columns: &'static str) -> Self {
        let keys = vec![Key::unique("id", Direction::Asc)];
        Self { table, columns, conditions: Vec::new(), keys, marker: None, limit: None, is_empty: false }
    }

    /// Whose rows these are: a filter that the marker's row must meet as well, so that a marker of another project
    /// is as unknown as one that does not exist.
    #[must_use]
    pub fn scope(self, condition: &'static str, value: impl Into<Value>) -> Self {
        self.push(format!("{condition}?"), vec![value.into()], true)
    }

    /// Keeps rows that meet a condition with one value at its end: `.filter("status = ", status)`.
    #[must_use]
    pub fn filter(self, condition: &'static str, value: impl Into<Value>) -> Self {
        self.push(format!("{condition}?"), vec![value.into()], false)
    }

    /// Keeps rows whose `column` is one of `values`; of none, no row at all.
    #[must_use]
    pub fn filter_in<V: Into<Value>>(self, column: &'static str, values: impl IntoIterator<Item = V>) -> Self {
        let values: Vec<Value> = values.into_iter().map(Into::into).collect();
        let Some((holes, values)) = list(values) else { return self.none() };
        self.push(format!("{column} IN {holes}"), values, false)
    }

    /// Keeps rows that meet a condition with a list in its midst, and then a `?` for each of `further`:
    /// `.condition_in(["id IN (SELECT server_id FROM tags WHERE tag IN ", ")"], tags, vec![])`. Of an empty list, no row at all.
    #[must_use]
    pub fn condition_in<V: Into<Value>>(
        self,
        [before, after]: [&'static str; 2],
        values: impl IntoIterator<Item = V>,
        further: Vec<Value>,
    ) -> Self {
        let values: Vec<Value> = values.into_iter().map(Into::into).collect();
        let Some((holes, mut values)) = list(values) else { return self.none() };
        values.extend(further);
        self.push(format!("{before}{holes}{after}"), values, false)
    }

    /// Keeps rows whose text in `column` begins with `prefix`, whatever characters it holds.
    #[must_use]
    pub fn filter_prefix(self, column: &'static str, prefix: &str) -> Self {
        let pattern = format!("{}%", escape_like(prefix));
        self.push(format!("{column} LIKE ? ESCAPE '\\'"), vec![pattern.into()], false)
    }

    /// Keeps rows whose text in `column` contains `part`.
    #[must_use]
    pub fn filter_contains(self, column: &'static str, part: &str) -> Self {
        let pattern = format!("%{}%", escape_like(part));
        self.push(format!("{column} LIKE ? ESCAPE '\\'"), vec![pattern.into()], false)
    }

    /// Keeps rows whose text in `column` contains at least one of `parts`; of none, no row at all.
    #[must_use]
    pub fn filter_contains_any(self, column: &'static str, parts: &[String]) -> Self {
        self.any_like(column, "LIKE", parts)
    }

    /// Keeps rows whose text in `column` lacks at least one of `parts`; of none, no row at all.
    #[must_use]
    pub fn filter_lacks_any(self, column: &'static str, parts: &[String]) -> Self {
        self.any_like(column, "NOT LIKE", parts)
    }

    /// Keeps rows that meet a condition without a value: `.condition("deleted_at IS NULL")`.
    #[must_use]
    pub fn condition(self, condition: &'static str) -> Self {
        self.push(condition.to_owned(), Vec::new(), false)
    }

    /// Keeps rows that meet any other condition, with a `?` for each of `values`:
    /// `.condition_with("EXISTS (SELECT 1 FROM tags WHERE server_id = servers.id AND tag = ?)", vec![tag.into()])`.
    #[must_use]
    pub fn condition_with(self, condition: &'static str, values: Vec<Value>) -> Self {
        self.push(condition.to_owned(), values, false)
    }

    /// Keeps rows that meet a condition in whose midst one of several alternatives holds, each with one value:
    /// `.condition_each(["id IN (SELECT port_id FROM addresses WHERE ", ")"], "address LIKE ?", patterns)`. Of none, no row at all.
    #[must_use]
    pub fn condition_each<V: Into<Value>>(
        self,
        [before, after]: [&'static str; 2],
        each: &'static str,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let values: Vec<Value> = values.into_iter().map(Into::into).collect();
        if values.is_empty() {
            return self.none();
        }
        let alternatives = vec![each; values.len()].join(" OR ");
        self.push(format!("{before}{alternatives}{after}"), values, false)
    }

    /// Sorts by `keys`, then by the unique column `id`, which makes the order total and which markers name. Without
    /// this call rows are sorted by the column `id`.
    #[must_use]
    pub fn sort(mut self, keys: &[(&'static str, Direction)], id: &'static str) -> Self {
        let direction = keys.last().map_or(Direction::Asc, |(_, direction)| *direction);
        self.keys = keys
            .iter()
            .take_while(|(column, _)| *column != id)
            .map(|&(column, direction)| Key { column, direction, nullable: true })
            .collect();
        let of_id = keys.iter().find(|(column, _)| *column == id);
        self.keys.push(Key::unique(id, of_id.map_or(direction, |(_, direction)| *direction)));
        self
    }

    /// Says which sort columns are `NOT NULL`, after [`sort`](Self::sort): then an index can be used to seek.
    #[must_use]
    pub fn not_null(mut self, columns: &[&'static str]) -> Self {
        for key in &mut self.keys {
            key.nullable &= !columns.contains(&key.column);
        }
        self
    }

    /// Begins after the row with this id (`None`: at the beginning); see [`Error::MarkerNotFound`].
    #[must_use]
    pub fn after(mut self, marker: impl Into<Value>) -> Self {
        self.marker = Some(marker.into()).filter(|marker| *marker != Value::Null);
        self
    }

    #[must_use]
    pub fn limit(mut self, rows: u32) -> Self {
        self.limit = Some(rows);
        self
    }

    /// Runs the query. One statement; a second one only when the page is empty, to tell the end of the list from a
    /// marker that does not exist.
    pub fn rows(&self, tx: &mut Tx) -> Result<Vec<Row>> {
        self.check_width()?;
        if self.is_empty && self.marker.is_none() {
            return Ok(Vec::new());
        }
        let (sql, params) = self.statement(tx.engine());
        let rows = tx.query(&sql, &params)?;
        if rows.is_empty() && self.marker.is_some() {
            let mut text = Text::default();
            self.marker_row(&mut text, "1");
            tx.query_opt(&text.sql, &text.params)?.ok_or(Error::MarkerNotFound)?;
        }
        Ok(rows)
    }

    /// Runs several at once, none of them with a marker; PostgreSQL is waited for once.
    pub fn together<const N: usize>(tx: &mut Tx, selects: [&Self; N]) -> Result<[Vec<Row>; N]> {
        Self::all(tx, &selects)?.try_into().map_err(|_| Error::NoRow)
    }

    /// The same for as many as there are.
    pub fn all(tx: &mut Tx, selects: &[&Self]) -> Result<Vec<Vec<Row>>> {
        selects.iter().try_for_each(|select| select.check_width())?;
        let engine = tx.engine();
        let asked = selects.iter().filter(|select| !select.is_empty);
        let asked: Vec<_> = asked.map(|select| select.statement(engine)).collect();
        let statements: Vec<(&str, &[Value])> = asked.iter().map(|(sql, params)| (sql.as_str(), params.as_slice())).collect();
        let mut answers = tx.queries(&statements)?.into_iter();
        let answer = |select: &&Self| if select.is_empty { Vec::new() } else { answers.next().unwrap_or_default() };
        Ok(selects.iter().map(answer).collect())
    }

    /// How many rows meet the filters, whatever the page.
    pub fn count(&self, tx: &mut Tx) -> Result<u64> {
        self.check_width()?;
        let mut text = Text::default();
        let _ = write!(text.sql, "SELECT count(*) FROM {}", self.table);
        text.conditions(self.conditions.iter());
        tx.query_one(&text.sql, &text.params)?.get(0)
    }

    fn check_width(&self) -> Result<()> {
        let within = |what, count: usize, most| if count > most { Err(Error::TooWide { what, most }) } else { Ok(()) };
        // Each alternative of a condition is a step deeper, too.
        let alternatives = |condition: &Condition| 1 + condition.sql.matches(" OR ").count();
        within("conditions", self.conditions.iter().map(alternatives).sum(), MOST_CONDITIONS)?;
        within("values", self.conditions.iter().map(|condition| condition.values.len()).sum(), MOST_VALUES)?;
        within("sort keys", self.keys.len(), MOST_KEYS)
    }

    /// The statement and its parameters.
    pub fn statement(&self, engine: Engine) -> (String, Vec<Value>) {
        let mut text = Text::default();
        let _ = write!(text.sql, "SELECT {} FROM {}", self.columns, self.table);
        if self.marker.is_some() {
            let values: Vec<String> =
                self.keys.iter().enumerate().map(|(place, key)| format!("{} AS marker_{place}", key.column)).collect();
            text.sql.push_str(", (");
            self.marker_row(&mut text, &values.join(", "));
            text.sql.push_str(") AS marker");
        }
        text.conditions(self.conditions.iter());
        if self.marker.is_some() {
            text.and();
            text.sql.push_str(&self.beyond_marker());
        }
        let order: Vec<String> = self.keys.iter().map(|key| key.order(engine)).collect();
        let _ = write!(text.sql, " ORDER BY {}", order.join(", "));
        if let Some(limit) = self.limit {
            text.sql.push_str(" LIMIT ");
            text.value(limit.into());
        }
        (text.sql, text.params)
    }

    /// Appends the subquery that selects `columns` of the marker's row.
    fn marker_row(&self, text: &mut Text, columns: &str) {
        let id = self.keys.last().map_or("id", |key| key.column);
        let _ = write!(text.sql, "SELECT {columns} FROM {} WHERE {id} = ", self.table);
        text.value(self.marker.clone().unwrap_or(Value::Null));
        for condition in self.conditions.iter().filter(|c| c.scopes_marker) {
            text.sql.push_str(" AND ");
            text.condition(condition);
        }
    }

    /// The condition that holds for the rows that come after the marker's.
    fn beyond_marker(&self) -> String {
        let first = self.keys.first();
        let plain = |key: &Key| !key.nullable && Some(key.direction) == first.map(|k| k.direction);
        if self.keys.iter().all(plain) {
            let columns: Vec<&str> = self.keys.iter().map(|key| key.column).collect();
            let markers: Vec<String> = (0..self.keys.len()).map(|i| format!("marker_{i}")).collect();
            let sign = first.map_or(">", Key::sign);
            return format!("({}) {sign} ({})", columns.join(", "), markers.join(", "));
        }
        // (a beyond) OR (a equal AND b beyond) OR …
        let mut cases = Vec::new();
        let mut equal_so_far = String::new();
        for (place, key) in self.keys.iter().enumerate() {
            cases.push(format!("({equal_so_far}{})", key.beyond(place)));
            let _ = write!(equal_so_far, "{} AND ", key.equal(place));
        }
        let cases = cases.join(" OR ");
        match first {
            // Implied by the cases, but this is what an index can seek to.
            Some(key) if !key.nullable => {
                format!("{} {}= marker_0 AND ({cases})", key.column, key.sign())
            }
            _ => format!("({cases})"),
        }
    }

    fn any_like(self, column: &'static str, like: &'static str, parts: &[String]) -> Self {
        if parts.is_empty() {
            return self.none();
        }
        let condition = vec![format!("{column} {like} ? ESCAPE '\\'"); parts.len()].join(" OR ");
        let patterns = parts.iter().map(|part| format!("%{}%", escape_like(part)).into()).collect();
        self.push(format!("({condition})"), patterns, false)
    }

    fn none(self) -> Self {
        Self { is_empty: true, ..self.condition("1 = 0") }
    }

    fn push(mut self, sql: String, values: Vec<Value>, scopes_marker: bool) -> Self {
        self.conditions.push(Condition { sql, values, scopes_marker });
        self
    }
}

impl Key {
    fn unique(column: &'static str, direction: Direction) -> Self {
        Self { column, direction, nullable: false }
    }

    fn sign(&self) -> &'static str {
        match self.direction {
            Direction::Asc => ">",
            Direction::Desc => "<",
        }
    }

    fn beyond(&self, place: usize) -> String {
        let (column, sign) = (self.column, self.sign());
        match (self.nullable, self.direction) {
            (false, _) => format!("{column} {sign} marker_{place}"),
            (true, Direction::Asc) => format!("({column} > marker_{place} OR (marker_{place} IS NULL AND {column} IS NOT NULL))"),
            (true, Direction::Desc) => {
                format!("({column} < marker_{place} OR ({column} IS NULL AND marker_{place} IS NOT NULL))")
            }
        }
    }

    fn equal(&self, place: usize) -> String {
        let column = self.column;
        if self.nullable { format!("{column} IS NOT DISTINCT FROM marker_{place}") } else { format!("{column} = marker_{place}") }
    }

    fn order(&self, engine: Engine) -> String {
        let column = self.column;
        match (self.direction, engine, self.nullable) {
            (Direction::Asc, Engine::Postgres, true) => format!("{column} ASC NULLS FIRST"),
            (Direction::Desc, Engine::Postgres, true) => format!("{column} DESC NULLS LAST"),
            (Direction::Asc, ..) => format!("{column} ASC"),
            (Direction::Desc, ..) => format!("{column} DESC"),
        }
    }
}

/// SQL and its parameters, growing together.
#[derive(Default)]
struct Text {
    sql: String,
    params: Vec<Value>,
    has_where: bool,
}

impl Text {
    fn value(&mut self, value: Value) {
        self.params.push(value);
        let _ = write!(self.sql, "${}", self.params.len());
    }

    fn and(&mut self) {
        self.sql.push_str(if self.has_where { " AND " } else { " WHERE " });
        self.has_where = true;
    }

    fn conditions<'a>(&mut self, conditions: impl Iterator<Item = &'a Condition>) {
        for condition in conditions {
            self.and();
            self.condition(condition);
        }
    }

    fn condition(&mut self, condition: &Condition) {
        self.sql.push('(');
        let mut pieces = condition.sql.split('?');
        self.sql.push_str(pieces.next().unwrap_or_default());
        for (piece, value) in pieces.zip(&condition.values) {
            self.value(value.clone());
            self.sql.push_str(piece);
        }
        self.sql.push(')');
    }
}

/// The places of a list in SQL with what belongs into them, filled up to a power of two, so that lists of many lengths share
/// a few prepared statements.
fn list(mut values: Vec<Value>) -> Option<(String, Vec<Value>)> {
    let last = values.last()?.clone();
    values.resize(values.len().next_power_of_two(), last);
    let holes = vec!["?"; values.len()].join(", ");
    Some((format!("({holes})"), values))
}

fn escape_like(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}
