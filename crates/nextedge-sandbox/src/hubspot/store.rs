//! Records of one object type, with an index for every property that requests look up by.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::kinds::{Kind, ObjectType};
use super::property::{Property, defaults};

/// Set values of a record, by property name.
pub(crate) type Values = BTreeMap<Arc<str>, String>;

/// Ids of association types, per linked record.
pub(crate) type Links = BTreeMap<(ObjectType, u64), Vec<u32>>;

/// One record.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) id: u64,
    pub(crate) values: Values,
    pub(crate) links: Links,
    pub(crate) created_ms: i64,
    pub(crate) updated_ms: i64,
    pub(crate) archived_ms: Option<i64>,
    /// Values before the last change: what search still shows while its index lags.
    pub(crate) before: Option<Box<Before>>,
}

/// What a record looked like before its last change.
#[derive(Clone, Debug)]
pub(crate) struct Before {
    pub(crate) changed_ms: i64,
    pub(crate) values: Vec<(Arc<str>, Option<String>)>,
}

/// All records of one object type.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) kind: Kind,
    pub(crate) properties: BTreeMap<Arc<str>, Property>,
    pub(crate) records: BTreeMap<u64, Record>,
    pub(crate) archived: BTreeMap<u64, Record>,
    /// Ids that were merged away, and where they went.
    pub(crate) merged: HashMap<u64, u64>,
    index: HashMap<Arc<str>, HashMap<String, Vec<u64>>>,
}

impl Table {
    pub(crate) fn new(kind: Kind) -> Self {
        let properties = defaults(&kind)
            .into_iter()
            .map(|property| (Arc::clone(&property.name), property))
            .collect();
        let mut table = Self {
            kind,
            properties,
            records: BTreeMap::new(),
            archived: BTreeMap::new(),
            merged: HashMap::new(),
            index: HashMap::new(),
        };
        for name in INDEXED {
            if let Some((name, _)) = table.properties.get_key_value(*name) {
                table.index.insert(Arc::clone(name), HashMap::new());
            }
        }
        table
    }

    /// Adds or replaces a property; a unique one is indexed from here on.
    pub(crate) fn define(&mut self, property: Property) {
        if property.unique {
            self.index.entry(Arc::clone(&property.name)).or_default();
        }
        self.properties.insert(Arc::clone(&property.name), property);
    }

    /// Finds a property that is not archived.
    pub(crate) fn property(&self, name: &str) -> Option<&Property> {
        self.properties.get(name).filter(|one| !one.archived)
    }

    pub(crate) fn has_index(&self, name: &str) -> bool {
        self.index.contains_key(name)
    }

    /// Ids of the records whose indexed property holds this value, compared case-insensitively.
    pub(crate) fn ids_by(&self, name: &str, value: &str) -> &[u64] {
        self.index
            .get(name)
            .and_then(|values| values.get(&value.to_lowercase()))
            .map_or(&[], Vec::as_slice)
    }

    /// Finds a contact by any of its addresses; primary ones win.
    pub(crate) fn by_address(&self, address: &str) -> Option<u64> {
        let primary = self.ids_by("email", address).first();
        primary
            .or_else(|| self.ids_by(ADDRESSES, address).first())
            .copied()
    }

    /// Follows a merge to the record that is left.
    pub(crate) fn survivor(&self, id: u64) -> u64 {
        self.merged.get(&id).copied().unwrap_or(id)
    }

    pub(crate) fn insert(&mut self, record: Record) {
        for (name, value) in &record.values {
            index_add(&mut self.index, name, value, record.id);
        }
        self.records.insert(record.id, record);
    }

    /// Takes a live record out, with its index entries.
    pub(crate) fn remove(&mut self, id: u64) -> Option<Record> {
        let record = self.records.remove(&id)?;
        for (name, value) in &record.values {
            index_remove(&mut self.index, name, value, id);
        }
        Some(record)
    }

    /// Sets values (an empty one clears) and remembers the old ones for the lagging search.
    pub(crate) fn change(&mut self, id: u64, values: Values, now_ms: i64) {
        let Some(record) = self.records.get_mut(&id) else {
            return;
        };
        let mut before = Vec::with_capacity(values.len());
        for (name, value) in values {
            let old = if value.is_empty() {
                record.values.remove(&name)
            } else {
                record.values.insert(Arc::clone(&name), value.clone())
            };
            if let Some(old) = &old {
                index_remove(&mut self.index, &name, old, id);
            }
            if !value.is_empty() {
                index_add(&mut self.index, &name, &value, id);
            }
            before.push((name, old));
        }
        record.updated_ms = now_ms;
        record.before = Some(Box::new(Before {
            changed_ms: now_ms,
            values: before,
        }));
    }
}

type Index = HashMap<Arc<str>, HashMap<String, Vec<u64>>>;

/// One indexed value per address of a multi-address property, one per value elsewhere.
fn keys<'a>(name: &str, value: &'a str) -> impl Iterator<Item = String> + 'a {
    let many = name == ADDRESSES;
    value
        .split(move |c| many && c == ';')
        .filter(|one| !one.is_empty())
        .map(str::to_lowercase)
}

fn index_add(index: &mut Index, name: &Arc<str>, value: &str, id: u64) {
    let Some(values) = index.get_mut(name) else {
        return;
    };
    for key in keys(name, value) {
        values.entry(key).or_default().push(id);
    }
}

fn index_remove(index: &mut Index, name: &Arc<str>, value: &str, id: u64) {
    let Some(values) = index.get_mut(name) else {
        return;
    };
    for key in keys(name, value) {
        if let Some(ids) = values.get_mut(&key) {
            ids.retain(|one| *one != id);
            if ids.is_empty() {
                values.remove(&key);
            }
        }
    }
}

/// The property that holds a contact's further addresses, joined with `;`.
pub(crate) const ADDRESSES: &str = "hs_additional_emails";

/// Looked up often enough to be indexed although not declared unique.
const INDEXED: &[&str] = &["email", ADDRESSES, "domain", "hs_email_message_id"];
