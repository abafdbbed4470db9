//! What a person would see of the account: lists, records, timelines. Data only; the page renders it.

use super::Hubspot;
use super::account::Account;
use super::kinds::{Class, ObjectType};
use super::store::{Record, Table};

/// One kind of record and how many there are.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) count: usize,
}

/// One record in a list.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) kind: String,
    pub(crate) id: u64,
    pub(crate) title: String,
    pub(crate) updated: String,
}

/// One record with everything a person sees of it.
#[derive(Debug)]
pub(crate) struct RecordPage {
    pub(crate) entry: Entry,
    /// Label and value.
    pub(crate) properties: Vec<(String, String)>,
    pub(crate) linked: Vec<Entry>,
    pub(crate) timeline: Vec<Moment>,
}

/// One e-mail, note or task on a timeline.
#[derive(Debug)]
pub(crate) struct Moment {
    pub(crate) entry: Entry,
    pub(crate) at: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) text: String,
    pub(crate) html: String,
    /// Id, name, size in bytes.
    pub(crate) attachments: Vec<(u64, String, usize)>,
}

pub(crate) fn view_index(hub: &Hubspot) -> Vec<Section> {
    let account = hub.account();
    let section = |table: &Table| Section {
        name: table.kind.name.clone(),
        count: table.records.len(),
    };
    account.tables.values().map(section).collect()
}

/// Lists up to `limit` records of a kind, newest first, with ids below `before`.
pub(crate) fn view_list(
    hub: &Hubspot,
    kind: &str,
    before: Option<u64>,
    limit: usize,
) -> Option<Vec<Entry>> {
    let account = hub.account();
    let table = account.table(account.object_type(kind).ok()?).ok()?;
    let page = table.records.range(..before.unwrap_or(u64::MAX)).rev();
    Some(
        page.take(limit)
            .map(|(_, record)| entry(table, record))
            .collect(),
    )
}

pub(crate) fn view_record(hub: &Hubspot, kind: &str, id: u64) -> Option<RecordPage> {
    let account = hub.account();
    let object = account.object_type(kind).ok()?;
    let table = account.table(object).ok()?;
    let record = table.records.get(&id)?;
    let (mut linked, mut timeline) = (Vec::new(), Vec::new());
    if table.kind.class == Class::Engagement {
        timeline.push(moment(&account, table, record));
    }
    for ((to, id), _) in record.links.iter().take(MAX_LINKS) {
        let (Ok(table), Some(other)) = (account.table(*to), account.record(*to, *id)) else {
            continue;
        };
        match table.kind.class {
            Class::Engagement => timeline.push(moment(&account, table, other)),
            Class::Record | Class::Custom => linked.push(entry(table, other)),
        }
    }
    timeline.sort_by(|a, b| b.at.cmp(&a.at));
    let shown = record
        .values
        .iter()
        .filter(|(name, _)| !BODIES.contains(&&***name));
    let properties = shown
        .map(|(name, value)| {
            let label = table.properties.get(name).map_or(&**name, |one| &one.label);
            (label.to_owned(), value.clone())
        })
        .collect();
    Some(RecordPage {
        entry: entry(table, record),
        properties,
        linked,
        timeline,
    })
}

fn entry(table: &Table, record: &Record) -> Entry {
    let value = |name: &str| {
        record
            .values
            .get(name)
            .map(String::as_str)
            .unwrap_or_default()
    };
    let person = format!("{} {}", value("firstname"), value("lastname"));
    let title = match table.kind.id {
        ObjectType::CONTACTS if !person.trim().is_empty() => person.trim().to_owned(),
        _ => value(&table.kind.title).chars().take(120).collect(),
    };
    let named = if title.is_empty() {
        format!("#{}", record.id)
    } else {
        title
    };
    Entry {
        kind: table.kind.name.clone(),
        id: record.id,
        title: named,
        updated: super::time::rfc3339(record.updated_ms),
    }
}

fn moment(account: &Account, table: &Table, record: &Record) -> Moment {
    let value = |name: &str| record.values.get(name).cloned().unwrap_or_default();
    let first = |names: [&str; 2]| {
        let found = names.into_iter().map(value).find(|text| !text.is_empty());
        found.unwrap_or_default()
    };
    let attachments = value("hs_attachment_ids")
        .split(';')
        .filter_map(|id| account.files.by_id.get(&id.parse().ok()?))
        .map(|file| (file.id, file.file_name.clone(), file.size))
        .collect();
    Moment {
        entry: entry(table, record),
        at: value("hs_timestamp"),
        from: value("hs_email_from_email"),
        to: value("hs_email_to_email"),
        text: value("hs_email_text"),
        html: match table.kind.id {
            ObjectType::EMAILS => value("hs_email_html"),
            _ => first(["hs_note_body", "hs_task_body"]),
        },
        attachments,
    }
}

/// Shown on the timeline, not in the table of properties.
const BODIES: &[&str] = &[
    "hs_email_text",
    "hs_email_html",
    "hs_note_body",
    "hs_task_body",
    "hs_email_headers",
];

/// Links of one record that a page shows.
const MAX_LINKS: usize = 500;
