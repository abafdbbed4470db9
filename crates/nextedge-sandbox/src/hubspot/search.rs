//! Search, with the vendor's limits and an index that lags behind writes.

use std::cmp::Ordering;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Hubspot;
use super::account::Account;
use super::call::{Answer, Call, Reply};
use super::error::ApiError;
use super::property::PropertyType;
use super::read::{Shown, render, value};
use super::store::{Record, Table};
use super::time::{now_ms, parse_datetime};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Body {
    filter_groups: Vec<Group>,
    sorts: Vec<Sort>,
    query: Option<String>,
    properties: Vec<String>,
    limit: Option<usize>,
    after: Option<String>,
}

#[derive(Deserialize)]
struct Group {
    filters: Vec<Filter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    property_name: String,
    operator: Operator,
    #[serde(default)]
    value: Option<String>,
    #[serde(default)]
    values: Vec<String>,
    #[serde(default)]
    high_value: Option<String>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Operator {
    Eq,
    Neq,
    Lt,
    Lte,
    Gt,
    Gte,
    Between,
    In,
    NotIn,
    HasProperty,
    NotHasProperty,
    ContainsToken,
    NotContainsToken,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Sort {
    Name(String),
    #[serde(rename_all = "camelCase")]
    Full {
        property_name: String,
        #[serde(default)]
        direction: Option<String>,
    },
}

impl Sort {
    fn parts(&self) -> (&str, bool) {
        match self {
            Self::Name(name) => (name.trim_start_matches('-'), name.starts_with('-')),
            Self::Full {
                property_name,
                direction,
            } => (property_name, direction.as_deref() == Some("DESCENDING")),
        }
    }
}

/// Answers `POST …/{object}/search`.
pub(crate) fn search(hub: &Hubspot, call: &Call, object: &str) -> Answer {
    if String::from_utf8_lossy(&call.body).chars().count() > MAX_BODY_CHARS {
        return Err(ApiError::invalid(
            "The search body is longer than 3000 characters.",
        ));
    }
    let body: Body = call.json()?;
    let account = hub.account();
    let table = account.table(account.object_type(object)?)?;
    check(&account, table, &body)?;
    let limit = body.limit.unwrap_or(10);
    let after: usize = match &body.after {
        Some(text) => text
            .parse()
            .map_err(|_| ApiError::invalid("after must be a number."))?,
        None => 0,
    };
    if limit == 0 || limit > MAX_PAGE || after.saturating_add(limit) > MAX_RESULTS {
        return Err(ApiError::invalid(
            "limit is at most 200, and a query pages through at most 10000 results.",
        ));
    }
    let mut found = matches(&account, table, &body);
    order(table, &body, &mut found);
    let results: Vec<Value> = found
        .iter()
        .skip(after)
        .take(limit)
        .map(|seen| render(&account, table, seen, Shown::of(&body.properties)))
        .collect();
    let mut answer = json!({"total": found.len(), "results": results});
    if found.len() > after + limit {
        answer["paging"] =
            json!({"next": {"after": (after + limit).to_string(), "link": call.base}});
    }
    Ok(Reply::json(200, answer))
}

fn check(account: &Account, table: &Table, body: &Body) -> Result<(), ApiError> {
    let filters = || body.filter_groups.iter().flat_map(|group| &group.filters);
    let too_many = body.filter_groups.len() > 5
        || body
            .filter_groups
            .iter()
            .any(|group| group.filters.len() > 6)
        || filters().count() > 18;
    if too_many || body.sorts.len() > 1 {
        return Err(ApiError::invalid(
            "A search takes 5 filter groups, 6 filters a group, 18 filters and one sort.",
        ));
    }
    for filter in filters() {
        let name = &filter.property_name;
        let linked = name.strip_prefix("associations.");
        let known = match linked {
            Some(other) => account.object_type(other).is_ok(),
            None => table.property(name).is_some(),
        };
        if !known {
            let message =
                format!("There was a problem with the request: property {name} does not exist.");
            return Err(
                ApiError::invalid(message.clone()).with_code("PROPERTY_DOESNT_EXIST", message)
            );
        }
        let complete = match filter.operator {
            Operator::In | Operator::NotIn => !filter.values.is_empty(),
            Operator::HasProperty | Operator::NotHasProperty => true,
            Operator::Between => filter.value.is_some() && filter.high_value.is_some(),
            _ => filter.value.is_some(),
        };
        if !complete {
            return Err(ApiError::invalid(format!(
                "The filter on {name} has no value for its operator."
            )));
        }
    }
    Ok(())
}

/// Collects what the index shows, scanning only where no indexed equality narrows the search.
fn matches(account: &Account, table: &Table, body: &Body) -> Vec<Record> {
    let now = now_ms();
    let lag = account.settings.search_lag_ms;
    let candidates: Box<dyn Iterator<Item = &Record>> = match narrowed(table, body) {
        Some(ids) => Box::new(ids.into_iter().filter_map(|id| table.records.get(&id))),
        None => Box::new(table.records.values()),
    };
    candidates
        .filter_map(|record| as_indexed(record, now, lag))
        .filter(|record| is_match(account, table, record, body))
        .take(MAX_RESULTS)
        .collect()
}

/// The ids an indexed `EQ`/`IN` filter leaves, if every group has one.
fn narrowed(table: &Table, body: &Body) -> Option<Vec<u64>> {
    if body.filter_groups.is_empty() {
        return None;
    }
    let mut ids = Vec::new();
    for group in &body.filter_groups {
        let filter = group.filters.iter().find(|one| {
            matches!(one.operator, Operator::Eq | Operator::In)
                && table.has_index(&one.property_name)
        })?;
        for value in filter.value.iter().chain(&filter.values) {
            ids.extend_from_slice(table.ids_by(&filter.property_name, value));
        }
    }
    ids.sort_unstable();
    ids.dedup();
    Some(ids)
}

/// The record as the lagging index sees it, or nothing if it is too new.
fn as_indexed(record: &Record, now: i64, lag: i64) -> Option<Record> {
    if lag > 0 && now - record.created_ms < lag {
        return None;
    }
    let mut seen = record.clone();
    if let Some(before) = seen.before.take()
        && lag > 0
        && now - before.changed_ms < lag
    {
        for (name, old) in before.values {
            match old {
                Some(old) => seen.values.insert(name, old),
                None => seen.values.remove(&name),
            };
        }
    }
    Some(seen)
}

fn is_match(account: &Account, table: &Table, record: &Record, body: &Body) -> bool {
    let grouped = body.filter_groups.is_empty()
        || body.filter_groups.iter().any(|group| {
            group
                .filters
                .iter()
                .all(|one| holds(account, table, record, one))
        });
    let asked = body
        .query
        .as_deref()
        .filter(|text| !text.is_empty())
        .is_none_or(|query| {
            let query = query.to_lowercase();
            record
                .values
                .values()
                .any(|one| one.to_lowercase().contains(&query))
        });
    grouped && asked
}

fn holds(account: &Account, table: &Table, record: &Record, filter: &Filter) -> bool {
    if let Some(other) = filter.property_name.strip_prefix("associations.") {
        let Ok(to) = account.object_type(other) else {
            return false;
        };
        let mut wanted = filter.value.iter().chain(&filter.values);
        return wanted.any(|id| {
            id.parse()
                .is_ok_and(|id: u64| record.links.contains_key(&(to, id)))
        });
    }
    let kind = table.property(&filter.property_name).map(|one| one.kind);
    let held = value(table, record, &filter.property_name);
    let (wanted, high) = (filter.value.as_deref(), filter.high_value.as_deref());
    let against = |other: Option<&str>| compare(kind, held.as_deref()?, other?);
    let equal = |other: &str| against(Some(other)) == Some(Ordering::Equal);
    match filter.operator {
        Operator::Eq => wanted.is_some_and(equal),
        Operator::Neq => !wanted.is_some_and(equal),
        Operator::In => filter.values.iter().any(|one| equal(one)),
        Operator::NotIn => !filter.values.iter().any(|one| equal(one)),
        Operator::Lt => against(wanted).is_some_and(Ordering::is_lt),
        Operator::Lte => against(wanted).is_some_and(Ordering::is_le),
        Operator::Gt => against(wanted).is_some_and(Ordering::is_gt),
        Operator::Gte => against(wanted).is_some_and(Ordering::is_ge),
        Operator::Between => {
            against(wanted).is_some_and(Ordering::is_ge)
                && against(high).is_some_and(Ordering::is_le)
        }
        Operator::HasProperty => held.is_some(),
        Operator::NotHasProperty => held.is_none(),
        Operator::ContainsToken => has_token(held.as_deref(), wanted),
        Operator::NotContainsToken => !has_token(held.as_deref(), wanted),
    }
}

/// Compares by the property's type; enumerations case-sensitively, text not.
fn compare(kind: Option<PropertyType>, held: &str, wanted: &str) -> Option<Ordering> {
    match kind? {
        PropertyType::Number => held.parse::<f64>().ok()?.partial_cmp(&wanted.parse().ok()?),
        PropertyType::Date | PropertyType::Datetime => {
            Some(parse_datetime(held)?.cmp(&parse_datetime(wanted)?))
        }
        PropertyType::Enumeration | PropertyType::Bool => Some(held.cmp(wanted)),
        PropertyType::String | PropertyType::PhoneNumber => {
            Some(held.to_lowercase().cmp(&wanted.to_lowercase()))
        }
    }
}

fn has_token(held: Option<&str>, wanted: Option<&str>) -> bool {
    let (Some(held), Some(wanted)) = (held, wanted) else {
        return false;
    };
    let (held, wanted) = (held.to_lowercase(), wanted.to_lowercase());
    let bare = wanted.trim_matches('*');
    held.split(|c: char| !c.is_alphanumeric() && !"@._-".contains(c))
        .chain(held.split(|c: char| !c.is_alphanumeric()))
        .any(
            |token| match (wanted.starts_with('*'), wanted.ends_with('*')) {
                (true, true) => token.contains(bare),
                (true, false) => token.ends_with(bare),
                (false, true) => token.starts_with(bare),
                (false, false) => token == bare,
            },
        )
}

fn order(table: &Table, body: &Body, found: &mut [Record]) {
    let Some((name, descending)) = body.sorts.first().map(Sort::parts) else {
        return;
    };
    let kind = table.property(name).map(|one| one.kind);
    found.sort_by(|a, b| {
        let (a, b) = (value(table, a, name), value(table, b, name));
        let order = match (&a, &b) {
            (Some(a), Some(b)) => compare(kind, a, b).unwrap_or(Ordering::Equal),
            _ => a.is_some().cmp(&b.is_some()),
        };
        if descending { order.reverse() } else { order }
    });
}

const MAX_BODY_CHARS: usize = 3_000;
const MAX_PAGE: usize = 200;
const MAX_RESULTS: usize = 10_000;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::hubspot::store::{Before, Links, Values};

    #[test]
    fn a_lagging_index_shows_the_values_before_the_last_change() {
        let record = Record {
            id: 1,
            values: Values::from([
                ("city".into(), "Bonn".to_owned()),
                ("zip".into(), "5".to_owned()),
            ]),
            links: Links::new(),
            created_ms: 0,
            updated_ms: 9_000,
            archived_ms: None,
            before: Some(Box::new(Before {
                changed_ms: 9_000,
                values: vec![
                    ("city".into(), Some("Ulm".to_owned())),
                    ("zip".into(), None),
                ],
            })),
        };
        let seen = |now, lag| {
            as_indexed(&record, now, lag).map(|one| {
                (
                    one.values.get("city").cloned(),
                    one.values.get("zip").cloned(),
                )
            })
        };
        let (old, new) = (
            Some((Some("Ulm".to_owned()), None)),
            Some((Some("Bonn".to_owned()), Some("5".to_owned()))),
        );
        assert_eq!(seen(9_500, 1_000), old);
        assert_eq!(seen(10_000, 1_000), new);
        assert_eq!(seen(9_500, 0), new);
        assert_eq!(seen(500, 1_000), None, "a new record is not shown at all");
    }
}
