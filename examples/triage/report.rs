//! What the user reads at the end: one line a mail, then the counts.

use std::collections::BTreeMap;
use std::time::Duration;

use nextedge_core::store::{Counts, LedgerQuery, LedgerRow, Store};
use nextedge_core::{OutcomeKind, Result, TenantId};
use serde_json::{Value, json};

/// What a run measured beside the ledger.
pub(crate) struct Run {
    pub(crate) crm_calls: u64,
    pub(crate) elapsed: Duration,
    /// Messages that came to an outcome in this run.
    pub(crate) settled: u64,
}

/// Calls `each` with every message of the tenant, in (received time, id) order, page by page.
pub(crate) async fn each_row(
    store: &dyn Store,
    tenant: &TenantId,
    mut each: impl FnMut(&LedgerRow),
) -> Result<()> {
    let mut query = LedgerQuery {
        limit: PAGE,
        ..LedgerQuery::default()
    };
    loop {
        let rows = store.messages(tenant, &query).await?;
        rows.iter().for_each(&mut each);
        let Some(last) = rows.last().filter(|_| rows.len() == PAGE) else {
            return Ok(());
        };
        query.after = Some((last.received_at.unwrap_or_default(), last.message));
    }
}

/// The JSON form of one message.
pub(crate) fn row_json(row: &LedgerRow) -> Value {
    let decision = row.decision.as_ref();
    let records: Vec<Value> = row
        .sinks
        .iter()
        .flat_map(|sink| {
            sink.records.iter().map(|record| {
                json!({
                    "sink": sink.connection, "kind": record.kind.to_string(), "id": record.id,
                })
            })
        })
        .collect();
    json!({
        "id": row.provider_id,
        "message_id": decision.and_then(|d| d.message_id.as_deref()),
        "thread": decision.and_then(|d| d.thread),
        "outcome": row.outcome.kind().as_str(),
        "reason": reason(row),
        "category": decision.and_then(|d| d.category),
        "confidence": decision.and_then(|d| d.confidence),
        "urgency": decision.and_then(|d| d.urgency),
        "records": records,
    })
}

/// The JSON form of the summary.
pub(crate) fn summary_json(counts: &Counts, run: &Run) -> Value {
    json!({"summary": {
        "listed": counts.total(),
        "delivered": counts.delivered,
        "parked": counts.parked,
        "review": counts.review,
        "dead": counts.dead,
        "pending": counts.pending,
        "crm_calls": run.crm_calls,
        "mails_per_second": rate(run),
        "elapsed_ms": u64::try_from(run.elapsed.as_millis()).unwrap_or(u64::MAX),
    }})
}

/// One line of the table for people.
pub(crate) fn row_text(row: &LedgerRow) -> String {
    let decision = row.decision.as_ref();
    let label = decision.and_then(|d| d.category.zip(d.confidence));
    let label = label.map_or(String::new(), |(c, p)| format!("{c} {:.2}", p.get()));
    let urgency = decision
        .and_then(|d| d.urgency)
        .map_or("", |urgency| urgency.as_str());
    let subject = decision.map_or("", |d| d.subject.as_str());
    let records = row.sinks.iter().flat_map(|sink| &sink.records);
    let mut kinds: Vec<String> = records.map(|record| record.kind.to_string()).collect();
    kinds.dedup();
    format!(
        "{:<9}  {:<16}  {:<8}  {:<40}  {}{}",
        row.outcome.kind().as_str(),
        label,
        urgency,
        clip(subject, 40),
        clip(&reason(row), 90),
        if kinds.is_empty() {
            String::new()
        } else {
            format!("  [{}]", kinds.join(", "))
        },
    )
}

/// The counts for people.
pub(crate) fn counts_text(counts: &Counts, run: &Run) -> String {
    let mut text = format!("{} mails: ", counts.total());
    let parts = [
        (OutcomeKind::Delivered, counts.delivered),
        (OutcomeKind::Parked, counts.parked),
        (OutcomeKind::Review, counts.review),
        (OutcomeKind::Dead, counts.dead),
        (OutcomeKind::Pending, counts.pending),
    ];
    let parts: Vec<String> = parts
        .iter()
        .map(|(kind, count)| format!("{count} {}", kind.as_str()))
        .collect();
    text.push_str(&parts.join(", "));
    let seconds = run.elapsed.as_secs_f64();
    text.push_str(&format!("; {} CRM calls in {seconds:.1} s", run.crm_calls));
    text
}

/// Counts the records that the ledger's effects name, by kind.
pub(crate) fn add_records(
    row: &LedgerRow,
    records: &mut BTreeMap<String, std::collections::BTreeSet<String>>,
) {
    for record in row.sinks.iter().flat_map(|sink| &sink.records) {
        let ids = records.entry(record.kind.to_string()).or_default();
        ids.insert(record.id.to_string());
    }
}

fn reason(row: &LedgerRow) -> String {
    let fixed = row.outcome.reason();
    if !fixed.is_empty() {
        return fixed;
    }
    if row.outcome.kind() == OutcomeKind::Pending
        && let Some(error) = row.errors.last()
    {
        return error.text.clone();
    }
    row.decision
        .as_ref()
        .map_or_else(String::new, |decision| decision.reason.clone())
}

fn rate(run: &Run) -> f64 {
    let seconds = run.elapsed.as_secs_f64();
    if seconds > 0.0 {
        (run.settled as f64 / seconds * 10.0).round() / 10.0
    } else {
        0.0
    }
}

/// Cuts a text to a number of characters; control characters do not reach the terminal.
pub(crate) fn clip(text: &str, most: usize) -> String {
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut cut: String = clean.take(most).collect();
    if text.chars().count() > most {
        cut.pop();
        cut.push('…');
    }
    cut
}

const PAGE: usize = 500;
