// SPDX-License-Identifier: Apache-2.0
//! A server's row. Its columns are declared once, and from that come the statement that reads it, the one that adds it
//! and the one that writes what changed.

use store::{Row, Tx, Value, params};
use types::{Generation, Secret};

use super::Server;
use crate::error::Result;

/// `field: kind of column`; the name of the field is that of the column.
macro_rules! columns {
    ($first:ident: $first_kind:ident, $($field:ident: $kind:ident),+ $(,)?) => {
        pub(crate) const COLUMNS: &str = concat!(stringify!($first), $(", ", stringify!($field)),+);

        /// The server as its row has it; what is being done to it stands elsewhere.
        pub(crate) fn from_row(row: &Row) -> store::Result<Server> {
            let mut at = 0..;
            let mut next = || at.next().unwrap_or_default();
            Ok(Server {
                $first: read::$first_kind(row, next())?,
                $($field: read::$kind(row, next())?,)+
                operation: None,
            })
        }

        fn values(server: &Server) -> Vec<(&'static str, Value)> {
            vec![(stringify!($first), write::$first_kind(&server.$first)), $((stringify!($field), write::$kind(&server.$field))),+]
        }
    };
}

columns! {
    id: plain, seq: plain, revision: plain, project_id: plain, user_id: plain,
    name: plain, hostname: plain, description: plain, reservation_id: plain, launch_index: plain,
    created_at: plain, updated_at: plain, launched_at: plain, deleting_at: plain, deleted_at: plain,
    generation: generation, power: word, reboots: plain, reboot_kind: word, zone: plain, wanted_host: plain, host_is_forced: plain,
    life: word, node_id: plain, host: plain, tried: json, fault: json_or_null, marked_error: plain,
    found: word_or_null, found_generation: generation, found_reboots: plain,
    status: plain, vm_state: plain, task_state: plain, power_state: plain,
    flavor_id: plain, flavor: json, image_id: plain, image: json, key_name: plain, public_key: plain,
    user_data: secret, admin_password: secret, guest_password: secret,
    config_drive: plain, disk_config: plain, access_ip_v4: plain, access_ip_v6: plain,
    metadata: json, tags: json, security_groups: json, locked_by: plain, locked_reason: plain, root_tag: plain, root_edition: plain,
}

/// What a change of a server costs in the database.
pub(super) fn write(tx: &mut Tx, before: &Server, after: &Server) -> Result<()> {
    let (before_values, after_values) = (all(before), all(after));
    let changed = after_values.into_iter().zip(before_values).filter(|(after, before)| after != before).map(|(after, _)| after);
    let (mut assignments, mut values) = (Vec::new(), params![&before.id, before.revision].to_vec());
    for (column, value) in changed {
        values.push(value);
        assignments.push(format!("{column} = ${}", values.len()));
    }
    let statement = format!("UPDATE servers SET {} WHERE id = $1 AND revision = $2", assignments.join(", "));
    Ok(tx.execute_cas(&statement, &values)?)
}

/// Adds a new server. The number in its machine's name is drawn: counting would have each request wait for the last one.
pub(super) fn insert(tx: &mut Tx, server: &mut Server) -> Result<()> {
    const NUMBERS: u32 = 0x7fff_ffff;
    loop {
        server.seq = i64::from(uuid::Uuid::new_v4().as_fields().0 & NUMBERS);
        let (columns, values): (Vec<_>, Vec<_>) = all(server).into_iter().unzip();
        let places: Vec<String> = (1..=values.len()).map(|place| format!("${place}")).collect();
        let statement =
            format!("INSERT INTO servers ({}) VALUES ({}) ON CONFLICT (seq) DO NOTHING", columns.join(", "), places.join(", "));
        if tx.execute(&statement, &values)? > 0 {
            return Ok(());
        }
    }
}

/// The columns with those that are only looked for: the sizes by which quotas are summed up, and the data that a disk rests on.
fn all(server: &Server) -> Vec<(&'static str, Value)> {
    let size = server.counted_size();
    let mut values = values(server);
    values.extend([("vcpus", size.0.into()), ("memory_mb", size.1.into()), ("image_sha512", server.image.sha512.clone().into())]);
    values
}

/// How a kind of column is read.
mod read {
    use serde::de::DeserializeOwned;
    use store::FromValue;

    use super::{super::state::Word, Generation, Row, Secret};

    pub fn plain<'a, T: FromValue<'a>>(row: &'a Row, at: usize) -> store::Result<T> {
        row.get(at)
    }

    pub fn json<T: DeserializeOwned>(row: &Row, at: usize) -> store::Result<T> {
        row.json(at)
    }

    pub fn json_or_null<T: DeserializeOwned>(row: &Row, at: usize) -> store::Result<Option<T>> {
        row.json(at)
    }

    pub fn generation(row: &Row, at: usize) -> store::Result<Generation> {
        row.get(at).map(Generation)
    }

    pub fn secret(row: &Row, at: usize) -> store::Result<Option<Secret<String>>> {
        Ok(row.get::<Option<String>>(at)?.map(Secret::new))
    }

    pub fn word<T: Word>(row: &Row, at: usize) -> store::Result<T> {
        super::known(row.get(at)?, at)
    }

    pub fn word_or_null<T: Word>(row: &Row, at: usize) -> store::Result<Option<T>> {
        row.get::<Option<&str>>(at)?.map(|word| super::known(word, at)).transpose()
    }
}

/// How it is written.
mod write {
    use serde::Serialize;

    use super::{super::state::Word, Generation, Secret, Value};

    pub fn plain<T: Clone + Into<Value>>(value: &T) -> Value {
        value.clone().into()
    }

    pub fn json<T: Serialize>(value: &T) -> Value {
        serde_json::json!(value).into()
    }

    pub fn json_or_null<T: Serialize>(value: &Option<T>) -> Value {
        value.as_ref().map(|value| serde_json::json!(value)).into()
    }

    pub fn generation(value: &Generation) -> Value {
        value.0.into()
    }

    pub fn secret(value: &Option<Secret<String>>) -> Value {
        value.as_ref().map(|secret| secret.reveal().clone()).into()
    }

    pub fn word<T: Word>(value: &T) -> Value {
        value.word().into()
    }

    pub fn word_or_null<T: Word>(value: &Option<T>) -> Value {
        value.map(Word::word).into()
    }
}

/// A word that this version does not know is never taken for another one.
pub(super) fn known<T: super::state::Word>(word: &str, index: usize) -> store::Result<T> {
    T::parse(word).ok_or(store::Error::Column { index, wanted: T::WANTED, found: "a word of another version" })
}
