//! What exists keeps its values.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use nextedge_core::sink::{Delivery, PartyWrite, RecordWrite};
use nextedge_core::{Effect, FieldName, FieldValue, RecordKind, Slot};

use super::super::bench::{Bench, record_of};
use super::super::harness::{SeenRecord, SinkHarness};
use crate::verdict::{Stop, Verdict, ensure};

/// A mail that joins a record changes no field of record, contact or company: no owner, no stage.
pub async fn joining_changes_no_field(harness: &dyn SinkHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    let (before, effects) = first(&bench).await?;
    let join = bench.joining(2, &effects)?;
    bench.deliver_all(&[join]).await?;
    unchanged(&before, &bench.seen().await.records)?;
    let activities = bench.seen().await.activities.len();
    ensure!(
        activities == 2,
        "{activities} activities after a second mail"
    );
    Ok(())
}

/// A late mail stands on the timeline with its own date and changes no field.
pub async fn late_mail_keeps_its_date_and_changes_no_field(harness: &dyn SinkHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    let (before, effects) = first(&bench).await?;
    let mut late = bench.joining(2, &effects)?;
    late.activity.draft.sent_at -= TimeDelta::days(30);
    let date = late.activity.draft.sent_at;
    bench.deliver_all(&[late]).await?;
    let seen = bench.seen().await;
    unchanged(&before, &seen.records)?;
    let mut activities = seen.activities.iter();
    let found = activities.find(|activity| activity.subject == "Subject 2");
    let stored = found.map(|activity| activity.sent_at);
    ensure!(
        stored == Some(date),
        "a mail of {date} stands on the timeline at {stored:?}"
    );
    Ok(())
}

/// Fields to set on a known record, or to fill on a known contact, are set, and no others.
pub async fn given_fields_alone_are_set(harness: &dyn SinkHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    let (before, effects) = first(&bench).await?;
    let mut join = bench.joining(2, &effects)?;
    let (contact, filled) = change(&bench, &before, &RecordKind::Contact)?;
    join.contact = PartyWrite::Known {
        record: contact.record.clone(),
        fill: filled.clone(),
    };
    let mut expected = before.clone();
    expect(&mut expected, &contact, &filled);
    if let Some(kind) = bench.record_kind() {
        let (record, fields) = change(&bench, &before, &kind)?;
        expect(&mut expected, &record, &fields);
        join.record = RecordWrite::Known {
            record: record.record,
            fields,
        };
    }
    bench.deliver_all(&[join]).await?;
    unchanged(&expected, &bench.seen().await.records)
}

/// An effect that replaced a value tells the value before, so that it can be undone.
pub async fn replaced_values_are_reported(harness: &dyn SinkHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    let kind = bench.need_record_kind()?;
    let (before, effects) = first(&bench).await?;
    let (record, fields) = change(&bench, &before, &kind)?;
    let join = Delivery {
        record: RecordWrite::Known {
            record: record.record.clone(),
            fields: fields.clone(),
        },
        ..bench.joining(2, &effects)?
    };
    let outcomes = bench.deliver_all(&[join]).await?;
    record_of(&outcomes[0], &Slot::Record)?;
    let effect = outcomes[0]
        .effects
        .iter()
        .find(|effect| effect.slot == Slot::Record);
    let previous = effect
        .map(|effect| effect.previous.clone())
        .unwrap_or_default();
    for name in fields.keys() {
        let told = previous.get(name).map(text);
        let held = record.fields.get(name.as_str()).cloned();
        ensure!(
            told == held,
            "the effect does not tell what field {name} held before"
        );
    }
    Ok(())
}

/// Writes one mail; returns what the far system then holds, and the effects.
async fn first(bench: &Bench) -> Result<(Vec<SeenRecord>, Vec<Effect>), Stop> {
    let mut outcomes = bench.deliver_all(&bench.mails(1)?).await?;
    let outcome = outcomes.pop().ok_or_else(|| Stop::failed("no outcome"))?;
    Ok((bench.seen().await.records, outcome.effects))
}

type Fields = BTreeMap<FieldName, FieldValue>;

/// The fields of a draft with another title that differ from what a record holds.
fn change(
    bench: &Bench,
    before: &[SeenRecord],
    kind: &RecordKind,
) -> Result<(SeenRecord, Fields), Stop> {
    let record = before.iter().find(|seen| seen.record.kind == *kind);
    let record = record.ok_or_else(|| Stop::failed(format!("no {kind} was written")))?;
    let draft = bench.world.draft(kind, "Changed Title").fields;
    let differs = |(name, value): &(FieldName, FieldValue)| {
        record.fields.get(name.as_str()) != Some(&text(value))
    };
    let fields: Fields = draft.into_iter().filter(differs).collect();
    ensure!(
        !fields.is_empty(),
        "the harness drafts the same {kind} for every title"
    );
    Ok((record.clone(), fields))
}

fn expect(records: &mut [SeenRecord], record: &SeenRecord, fields: &Fields) {
    let mut places = records.iter_mut();
    if let Some(seen) = places.find(|seen| seen.record == record.record) {
        let set = fields
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)));
        seen.fields.extend(set);
    }
}

fn unchanged(expected: &[SeenRecord], now: &[SeenRecord]) -> Verdict {
    ensure!(
        expected.len() == now.len(),
        "{} records became {}",
        expected.len(),
        now.len()
    );
    for (expected, now) in expected.iter().zip(now) {
        let kind = &expected.record.kind;
        let names = expected.fields.keys().chain(now.fields.keys());
        for name in names {
            ensure!(
                expected.fields.get(name) == now.fields.get(name),
                "field {name} of the {kind} is not what it must be"
            );
        }
    }
    Ok(())
}

fn text(value: &FieldValue) -> String {
    match value {
        FieldValue::Text(text) => text.clone(),
        FieldValue::Number(number) => number.to_string(),
        FieldValue::Bool(yes) => yes.to_string(),
        FieldValue::Time(at) => at.to_rfc3339(),
        _ => String::new(),
    }
}
