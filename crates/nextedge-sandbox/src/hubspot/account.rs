//! One account: its object types, records, association types, pipelines, owners, files and rules.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::error::ApiError;
use super::files::Files;
use super::kinds::{Kind, ObjectType, standard};
use super::links::LinkTypes;
use super::owners::Owner;
use super::pipelines::{Pipeline, default_pipelines};
use super::schemas::Schema;
use super::store::{Record, Table};
use super::time::now_ms;

/// What a person could change in the account's settings, plus what a test may.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) portal_id: u64,
    pub(crate) time_zone: String,
    pub(crate) currency: String,
    /// Whether leads are set up.
    pub(crate) leads: bool,
    /// How long search keeps showing the state before a change.
    pub(crate) search_lag_ms: i64,
    /// Longer values are cut when stored; `None` keeps all.
    pub(crate) keep_value_bytes: Option<usize>,
    /// Contents of files are kept up to this many bytes in all.
    pub(crate) keep_file_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            portal_id: 20_260_901,
            time_zone: "Europe/Berlin".to_owned(),
            currency: "EUR".to_owned(),
            leads: true,
            search_lag_ms: 1_500,
            keep_value_bytes: None,
            keep_file_bytes: 1 << 30,
        }
    }
}

/// What the account demands beyond what the vendor demands. Binds from version 2026-09.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    pub(crate) required: HashMap<ObjectType, Vec<String>>,
    pub(crate) conditional: Vec<Conditional>,
}

/// "When this property has this value, those must be set."
#[derive(Clone, Debug)]
pub(crate) struct Conditional {
    pub(crate) object: ObjectType,
    pub(crate) when: (String, String),
    pub(crate) require: Vec<String>,
}

/// The state of one account.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) settings: Settings,
    pub(crate) tables: BTreeMap<ObjectType, Table>,
    pub(crate) link_types: LinkTypes,
    pub(crate) pipelines: BTreeMap<ObjectType, Vec<Pipeline>>,
    pub(crate) owners: Vec<Owner>,
    pub(crate) files: Files,
    pub(crate) schemas: BTreeMap<ObjectType, Schema>,
    pub(crate) rules: Rules,
    /// Addresses erased on request, never to be created again.
    pub(crate) erased: HashSet<String>,
    names: HashMap<String, ObjectType>,
    next_id: u64,
}

impl Account {
    pub(crate) fn new(settings: Settings) -> Self {
        let mut account = Self {
            files: Files::new(settings.keep_file_bytes),
            settings,
            tables: BTreeMap::new(),
            link_types: LinkTypes::new(),
            pipelines: default_pipelines(),
            owners: vec![Owner::first()],
            schemas: BTreeMap::new(),
            rules: Rules::default(),
            erased: HashSet::new(),
            names: HashMap::new(),
            next_id: FIRST_ID,
        };
        for kind in standard() {
            account.add_kind(kind);
        }
        account
    }

    pub(crate) fn add_kind(&mut self, kind: Kind) {
        for name in [&kind.name, &kind.singular, &kind.id.to_string()] {
            self.names.insert(name.to_lowercase(), kind.id);
        }
        self.tables.insert(kind.id, Table::new(kind));
    }

    /// Takes a kind away, with its records and names.
    pub(crate) fn remove_kind(&mut self, id: ObjectType) {
        self.tables.remove(&id);
        self.names.retain(|_, one| *one != id);
    }

    /// Lets a kind be addressed by one more name.
    pub(crate) fn add_name(&mut self, name: &str, id: ObjectType) {
        self.names.insert(name.to_lowercase(), id);
    }

    /// Finds the object type a path names, refusing leads where they are not set up.
    pub(crate) fn object_type(&self, name: &str) -> Result<ObjectType, ApiError> {
        let found = self.names.get(&name.to_lowercase()).copied();
        let id = found.ok_or_else(|| {
            ApiError::invalid(format!("Unable to infer object type from: {name}"))
        })?;
        if id == ObjectType::LEADS && !self.settings.leads {
            return Err(leads_are_off());
        }
        Ok(id)
    }

    pub(crate) fn table(&self, id: ObjectType) -> Result<&Table, ApiError> {
        self.tables.get(&id).ok_or_else(ApiError::unknown_path)
    }

    pub(crate) fn table_mut(&mut self, id: ObjectType) -> Result<&mut Table, ApiError> {
        self.tables.get_mut(&id).ok_or_else(ApiError::unknown_path)
    }

    /// Finds a live record.
    pub(crate) fn record(&self, object: ObjectType, id: u64) -> Option<&Record> {
        self.tables.get(&object)?.records.get(&id)
    }

    pub(crate) fn take_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Names a linked kind in a dump or an answer.
    pub(crate) fn name_of(&self, object: ObjectType) -> &str {
        self.tables
            .get(&object)
            .map_or("", |table| &table.kind.name)
    }

    /// Links two records both ways. `types` are ids seen from the first.
    pub(crate) fn link(&mut self, from: (ObjectType, u64), to: (ObjectType, u64), types: &[u32]) {
        let mut all = types.to_vec();
        if let Some(default) = self.link_types.default_of(from.0, to.0)
            && !all.contains(&default.id)
        {
            all.push(default.id);
        }
        let back: Vec<u32> = all
            .iter()
            .filter_map(|id| self.link_types.get(from.0, to.0, *id)?.inverse)
            .collect();
        self.make_room_for_primary(from, to, &all);
        self.put_links(from, to, &all);
        self.put_links(to, from, &back);
    }

    /// Removes every link between two records. Answers whether there was one.
    pub(crate) fn unlink(&mut self, from: (ObjectType, u64), to: (ObjectType, u64)) -> bool {
        let had = self.drop_links(from, to).is_some();
        self.drop_links(to, from);
        self.delete_orphaned_lead(from);
        self.delete_orphaned_lead(to);
        had
    }

    /// Removes some types of link between two records; without its default, the pair is unlinked.
    pub(crate) fn unlink_types(
        &mut self,
        from: (ObjectType, u64),
        to: (ObjectType, u64),
        types: &[u32],
    ) {
        let default = self.link_types.default_of(from.0, to.0).map(|one| one.id);
        if default.is_some_and(|id| types.contains(&id)) {
            self.unlink(from, to);
            return;
        }
        let back: Vec<u32> = types
            .iter()
            .filter_map(|id| self.link_types.get(from.0, to.0, *id)?.inverse)
            .collect();
        for (a, b, gone) in [(from, to, types), (to, from, back.as_slice())] {
            if let Some(record) = self.record_mut(a)
                && let Some(ids) = record.links.get_mut(&b)
            {
                ids.retain(|id| !gone.contains(id));
            }
        }
        self.delete_orphaned_lead(from);
        self.delete_orphaned_lead(to);
    }

    /// Removes what a pair is labelled with and leaves it linked.
    pub(crate) fn unlink_labels(&mut self, from: (ObjectType, u64), to: (ObjectType, u64)) {
        for (a, b) in [(from, to), (to, from)] {
            let kept = self.link_types.default_of(a.0, b.0).map(|one| one.id);
            if let Some(record) = self.record_mut(a)
                && let Some(ids) = record.links.get_mut(&b)
            {
                ids.retain(|id| Some(*id) == kept);
            }
        }
    }

    /// Archives a record, or deletes it for good where the vendor does. Answers whether it lived.
    pub(crate) fn archive(&mut self, object: ObjectType, id: u64) -> bool {
        let Some(table) = self.tables.get_mut(&object) else {
            return false;
        };
        let Some(mut record) = table.remove(id) else {
            return false;
        };
        let links: Vec<_> = record.links.keys().copied().collect();
        if object != ObjectType::EMAILS {
            record.archived_ms = Some(now_ms());
            record.links.clear();
            table.archived.insert(id, record);
        }
        for other in links {
            self.drop_links(other, (object, id));
            self.delete_orphaned_lead(other);
        }
        true
    }

    fn record_mut(&mut self, of: (ObjectType, u64)) -> Option<&mut Record> {
        self.tables.get_mut(&of.0)?.records.get_mut(&of.1)
    }

    fn put_links(&mut self, from: (ObjectType, u64), to: (ObjectType, u64), types: &[u32]) {
        if let Some(record) = self.record_mut(from) {
            let ids = record.links.entry(to).or_default();
            for id in types {
                if !ids.contains(id) {
                    ids.push(*id);
                }
            }
        }
    }

    fn drop_links(&mut self, from: (ObjectType, u64), to: (ObjectType, u64)) -> Option<Vec<u32>> {
        self.record_mut(from)?.links.remove(&to)
    }

    /// A record has one primary per target kind: the newest takes it over.
    fn make_room_for_primary(
        &mut self,
        from: (ObjectType, u64),
        to: (ObjectType, u64),
        types: &[u32],
    ) {
        let Some(primary) = types
            .iter()
            .copied()
            .find(|id| self.is_primary(from.0, to.0, *id))
        else {
            return;
        };
        let inverse = self
            .link_types
            .get(from.0, to.0, primary)
            .and_then(|one| one.inverse);
        let mut moved = Vec::new();
        if let Some(record) = self.record_mut(from) {
            for (other, ids) in &mut record.links {
                if other.0 == to.0 && *other != to && ids.contains(&primary) {
                    ids.retain(|id| *id != primary);
                    moved.push(*other);
                }
            }
        }
        for other in moved {
            if let Some(ids) = self
                .record_mut(other)
                .and_then(|one| one.links.get_mut(&from))
            {
                ids.retain(|id| Some(*id) != inverse);
            }
        }
    }

    fn is_primary(&self, from: ObjectType, to: ObjectType, id: u32) -> bool {
        let found = self.link_types.get(from, to, id);
        found.is_some_and(|one| one.role == super::links::Role::Primary)
    }

    /// A lead without its primary contact or company is deleted.
    fn delete_orphaned_lead(&mut self, of: (ObjectType, u64)) {
        if of.0 != ObjectType::LEADS {
            return;
        }
        let orphaned = self.record(of.0, of.1).is_some_and(|lead| {
            !lead
                .links
                .values()
                .flatten()
                .any(|id| LEAD_ANCHORS.contains(id))
        });
        if orphaned {
            self.archive(of.0, of.1);
        }
    }
}

fn leads_are_off() -> ApiError {
    ApiError::new(
        403,
        "MISSING_SCOPES",
        "Leads are not available in this account.",
    )
    .with_context(
        "requiredGranularScopes",
        vec![
            "crm.objects.leads.read".into(),
            "crm.objects.leads.write".into(),
        ],
    )
}

/// The links of which a lead needs one: primary contact, primary company.
pub(crate) const LEAD_ANCHORS: [u32; 2] = [578, 580];

/// Beyond 32 bits, so that a client which narrows ids is found out.
const FIRST_ID: u64 = 5_100_000_000;
