//! The account's state as tests and tools read it.

use serde_json::{Map, Value, json};

use super::account::Account;
use super::files::StoredFile;
use super::read::value;
use super::store::{Record, Table};
use super::time::rfc3339;

/// Dumps the live records of the named kinds (all when none is named) and the files.
pub(crate) fn state(account: &Account, kinds: &[String]) -> Value {
    let wanted = |name: &str| kinds.is_empty() || kinds.iter().any(|one| one == name);
    let mut out = Map::new();
    for table in account.tables.values().filter(|one| wanted(&one.kind.name)) {
        let records: Vec<Value> = table
            .records
            .values()
            .map(|one| record(account, table, one))
            .collect();
        out.insert(table.kind.name.clone(), records.into());
    }
    if wanted("files") {
        let files: Vec<Value> = account.files.by_id.values().map(file).collect();
        out.insert("files".to_owned(), files.into());
    }
    Value::Object(out)
}

/// Counts the live records by kind, without rendering them.
pub(crate) fn counts(account: &Account) -> Value {
    let mut out: Map<String, Value> = account
        .tables
        .values()
        .map(|table| (table.kind.name.clone(), table.records.len().into()))
        .collect();
    out.insert("files".to_owned(), account.files.by_id.len().into());
    Value::Object(out)
}

fn record(account: &Account, table: &Table, record: &Record) -> Value {
    let mut properties: Map<String, Value> = record
        .values
        .iter()
        .map(|(name, value)| (name.to_string(), value.clone().into()))
        .collect();
    for name in [table.kind.dates.0, table.kind.dates.1, "hs_object_id"] {
        properties.insert(name.to_owned(), value(table, record, name).into());
    }
    let associations: Vec<Value> = record
        .links
        .iter()
        .flat_map(|((to, id), types)| {
            let name = account.name_of(*to);
            types
                .iter()
                .map(move |one| json!({"to_type": name, "to_id": id.to_string(), "type": one}))
        })
        .collect();
    json!({"id": record.id.to_string(), "properties": properties, "associations": associations,
           "created_at": rfc3339(record.created_ms), "updated_at": rfc3339(record.updated_ms)})
}

fn file(file: &StoredFile) -> Value {
    let body = file.json("", 0);
    let at = (&body["createdAt"], &body["updatedAt"]);
    json!({"id": body["id"], "associations": [], "created_at": at.0, "updated_at": at.1,
           "properties": {"name": file.file_name, "path": body["path"], "size": file.size.to_string(),
                          "md5": file.md5, "access": file.access}})
}
