//! `find`: persons by address, companies by domain, records by id, in as few calls as HubSpot allows.

use std::collections::{BTreeMap, BTreeSet};

use nextedge_core::sink::{FindRequest, Found, FoundContact, FoundParty, PartyQuery, RecordState};
use nextedge_core::{
    CallContext, Error, FieldName, FieldValue, RecordId, RecordKind, RecordRef, Result,
};

use super::HubSpotSink;
use super::write::{ADDITIONAL_EMAILS, answers_to};
use crate::error::Fault;
use crate::schema::Profile;
use crate::wire::ObjectType;
use crate::wire::answers::Row;
use crate::wire::definitions::Progress;
use crate::wire::objects::{BatchRead, Search, search_chunks};

pub(super) async fn find(
    sink: &HubSpotSink,
    cx: &CallContext,
    request: &FindRequest,
) -> Result<Found> {
    let contacts = contacts(sink, cx, &request.parties);
    let companies = companies(sink, cx, &request.parties);
    let records = records(sink, cx, &request.records);
    let (contacts, companies, records) = futures::join!(contacts, companies, records);
    let fault = |fault: Fault| fault.to_error();
    let (contacts, companies) = (contacts.map_err(fault)?, companies.map_err(fault)?);
    let parties = request.parties.iter().map(|query| FoundParty {
        contacts: contacts_of(query, &contacts),
        companies: companies_of(query, &companies),
    });
    Ok(Found {
        parties: parties.collect(),
        records: records?,
    })
}

/// Reads every contact that one of the addresses belongs to.
async fn contacts(
    sink: &HubSpotSink,
    cx: &CallContext,
    parties: &[PartyQuery],
) -> Result<Vec<Row>, Fault> {
    let addresses: BTreeSet<_> = parties.iter().flat_map(|party| &party.addresses).collect();
    let addresses: Vec<String> = addresses.iter().map(|a| a.as_str().to_owned()).collect();
    let fields = parties
        .iter()
        .flat_map(|party| &party.fields)
        .map(FieldName::as_str);
    let always = ["email", ADDITIONAL_EMAILS, COMPANY_OF_CONTACT];
    let wanted: Vec<&str> = fields
        .chain(always)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    read_by(
        sink,
        cx,
        &ObjectType::Contact,
        &ByProperty {
            property: "email",
            wanted: &wanted,
        },
        &addresses,
    )
    .await
}

/// A batched read by a unique property.
pub(super) struct ByProperty<'a> {
    pub(super) property: &'a str,
    pub(super) wanted: &'a [&'a str],
}

/// Reads records by a unique property, 100 values a call.
pub(super) async fn read_by(
    sink: &HubSpotSink,
    cx: &CallContext,
    object: &ObjectType,
    by: &ByProperty<'_>,
    values: &[String],
) -> Result<Vec<Row>, Fault> {
    let mut rows = Vec::new();
    for chunk in values.chunks(sink.limits.request_items.max(1)) {
        let body = BatchRead::by_property(by.property, by.wanted, chunk);
        rows.extend(sink.client.batch_read(cx, object, &body).await?);
    }
    Ok(rows)
}

/// Finds companies by domain. Those this process has just written are known without asking,
/// because HubSpot's search shows a new record only after some seconds.
async fn companies(
    sink: &HubSpotSink,
    cx: &CallContext,
    parties: &[PartyQuery],
) -> Result<BTreeMap<String, BTreeSet<String>>, Fault> {
    let domains: BTreeSet<_> = parties
        .iter()
        .filter_map(|party| party.company.as_ref())
        .collect();
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut unknown = Vec::new();
    for domain in domains {
        match sink.recent_company(cx, domain.as_str()).await {
            Some(id) => drop(
                found
                    .entry(domain.to_string())
                    .or_default()
                    .insert(id.to_string()),
            ),
            None => unknown.push(domain.to_string()),
        }
    }
    for (domain, ids) in companies_by_domain(sink, cx, &unknown).await? {
        found.entry(domain).or_default().extend(ids);
    }
    Ok(found)
}

/// Searches companies by domain, under HubSpot's limit of 3,000 characters a search.
pub(super) async fn companies_by_domain(
    sink: &HubSpotSink,
    cx: &CallContext,
    domains: &[String],
) -> Result<BTreeMap<String, BTreeSet<String>>, Fault> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for chunk in search_chunks(domains) {
        let mut body = Search::any_of("domain", chunk, &["domain"]);
        for _ in 0..MAX_SEARCH_PAGES {
            let (rows, next) = sink.client.search(cx, &ObjectType::Company, &body).await?;
            for row in rows {
                let Some(domain) = row.property("domain").map(str::to_lowercase) else {
                    continue;
                };
                found.entry(domain).or_default().insert(row.id);
            }
            body.after = next;
            if body.after.is_none() {
                break;
            }
        }
    }
    Ok(found)
}

fn contacts_of(query: &PartyQuery, rows: &[Row]) -> Vec<FoundContact> {
    let fits = |row: &&Row| {
        query
            .addresses
            .iter()
            .any(|a| answers_to(row, "email", a.as_str()))
    };
    let mut seen = BTreeSet::new();
    let once = |row: &&Row| seen.insert(row.id.clone());
    let contact = |row: &Row| {
        Some(FoundContact {
            record: reference(RecordKind::Contact, &row.id)?,
            company: row
                .property(COMPANY_OF_CONTACT)
                .and_then(|id| reference(RecordKind::Company, id)),
            fields: values_of(row, &query.fields),
        })
    };
    rows.iter()
        .filter(fits)
        .filter(once)
        .filter_map(contact)
        .collect()
}

fn companies_of(query: &PartyQuery, found: &BTreeMap<String, BTreeSet<String>>) -> Vec<RecordRef> {
    let ids = query
        .company
        .as_ref()
        .and_then(|domain| found.get(domain.as_str()));
    let ids = ids.into_iter().flatten();
    ids.filter_map(|id| reference(RecordKind::Company, id))
        .collect()
}

fn values_of(row: &Row, fields: &[FieldName]) -> BTreeMap<FieldName, FieldValue> {
    let value = |field: &FieldName| {
        let text = row.property(field.as_str())?;
        Some((field.clone(), FieldValue::Text(text.to_owned())))
    };
    fields.iter().filter_map(value).collect()
}

pub(super) fn reference(kind: RecordKind, id: &str) -> Option<RecordRef> {
    let id = RecordId::new(id).ok()?;
    Some(RecordRef { kind, id })
}

/// Reads the present state of records: one batched read for each object, and one single read, which
/// follows merges, for each record that the batch does not return.
async fn records(
    sink: &HubSpotSink,
    cx: &CallContext,
    records: &[RecordRef],
) -> Result<Vec<RecordState>> {
    if records.is_empty() {
        return Ok(Vec::new());
    }
    let profile = sink.profile(cx).await?;
    let mut ids: BTreeMap<ObjectType, BTreeSet<String>> = BTreeMap::new();
    for record in records {
        let object = ObjectType::of(&record.kind).ok_or_else(|| no_object(&record.kind))?;
        ids.entry(object).or_default().insert(record.id.to_string());
    }
    let mut states = BTreeMap::new();
    for (object, ids) in ids {
        let ids: Vec<String> = ids.into_iter().collect();
        let read = states_of(sink, cx, &profile, &object, &ids).await;
        let kind = object.kind();
        for (id, state) in read.map_err(|fault| fault.to_error())? {
            states.insert((kind.clone(), id), state);
        }
    }
    let state = |record: &RecordRef| {
        let found = states.get(&(record.kind.clone(), record.id.to_string()));
        found.cloned().unwrap_or(RecordState::Gone)
    };
    Ok(records.iter().map(state).collect())
}

async fn states_of(
    sink: &HubSpotSink,
    cx: &CallContext,
    profile: &Profile,
    object: &ObjectType,
    ids: &[String],
) -> Result<Vec<(String, RecordState)>, Fault> {
    let names = object.stage_properties();
    let wanted: Vec<&str> = match &names {
        Some(names) => vec![names.pipeline, names.stage],
        None => object.title_property().into_iter().collect(),
    };
    let state = |row: &Row| {
        let stage = names.and_then(|names| row.property(names.stage));
        let pipeline = names.and_then(|names| row.property(names.pipeline));
        match stage.map(|stage| profile.progress(object, pipeline, stage)) {
            Some(Progress::Closed) => RecordState::Closed,
            Some(Progress::Open) | None => RecordState::Open,
        }
    };
    let mut rows = Vec::new();
    for chunk in ids.chunks(sink.limits.request_items.max(1)) {
        let body = BatchRead::by_id(&wanted, chunk);
        rows.extend(sink.client.batch_read(cx, object, &body).await?);
    }
    let mut states = Vec::new();
    for id in ids {
        if let Some(row) = rows.iter().find(|row| row.id == *id) {
            states.push((id.clone(), state(row)));
            continue;
        }
        let single = match sink.client.read_one(cx, object, id, &wanted).await? {
            None => RecordState::Gone,
            Some(row) if row.id == *id => state(&row),
            Some(row) => match reference(object.kind(), &row.id) {
                Some(record) => RecordState::MergedInto(record),
                None => RecordState::Gone,
            },
        };
        states.push((id.clone(), single));
    }
    Ok(states)
}

pub(super) fn no_object(kind: &RecordKind) -> Error {
    Error::new(
        nextedge_core::ErrorKind::Config,
        "HubSpot has no such object",
    )
    .with_context("kind", kind)
    .with_action("name another kind in the field map, or add the object to custom_objects")
}

/// The company that HubSpot shows as a contact's primary one.
const COMPANY_OF_CONTACT: &str = "associatedcompanyid";
/// Pages read of one search; more matches for 100 domains make them all ambiguous anyway.
const MAX_SEARCH_PAGES: usize = 5;
