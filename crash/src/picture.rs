//! What a store says about its tenants, read through its public read sides.

use nextedge_core::store::{AuditQuery, Counts, LedgerQuery, LedgerRow, Phase, Scope, Store};
use nextedge_core::{Clock, OutcomeKind, SystemClock, TenantId};

use crate::Failure;
use crate::spec::{BoxPicture, Row, Spec, TenantPicture};

/// Reads everything the checks compare.
pub(crate) async fn picture(store: &dyn Store, spec: &Spec) -> Result<Vec<TenantPicture>, Failure> {
    let mut tenants = Vec::new();
    for tenant in &spec.tenants {
        tenants.push(tenant_picture(store, &tenant.name).await?);
    }
    Ok(tenants)
}

async fn tenant_picture(store: &dyn Store, name: &str) -> Result<TenantPicture, Failure> {
    let tenant = TenantId::new(name)?;
    let now = SystemClock.now();
    let due = store.next_due(&Scope::Tenant(tenant.clone())).await?;
    let mut boxes = Vec::new();
    for mailbox in store.mailboxes(&tenant, None, MOST).await? {
        let counts = store.counts(&tenant, Some(&mailbox.id)).await?;
        let sync = mailbox.sync;
        boxes.push(BoxPicture {
            id: mailbox.id.to_string(),
            live: sync.phase == Phase::Live,
            cursor: sync.cursor.map(|cursor| cursor.0),
            page: sync.page.map(|page| page.0),
            counts: by_name(counts),
        });
    }
    let query = LedgerQuery {
        limit: MOST,
        ..LedgerQuery::default()
    };
    let rows = store.messages(&tenant, &query).await?;
    let audit = AuditQuery {
        limit: MOST * 10,
        ..AuditQuery::default()
    };
    let audit = store.audit(&tenant, &audit).await?;
    Ok(TenantPicture {
        name: name.to_owned(),
        due_ms: due.map(|due| (due - now).num_milliseconds()),
        gated: !store.gates(&tenant).await?.is_empty(),
        boxes,
        rows: rows.into_iter().map(row).collect(),
        audited_writes: audit
            .iter()
            .filter(|row| row.call.writes && !row.call.is_interrupted())
            .count(),
        interrupted: audit.iter().filter(|row| row.call.is_interrupted()).count(),
    })
}

fn row(row: LedgerRow) -> Row {
    Row {
        message: row.message.to_string(),
        mailbox: row.mailbox.to_string(),
        id: row.provider_id.to_string(),
        state: row.outcome.kind().as_str().to_owned(),
        reason: row.outcome.reason(),
        errors: row.errors.into_iter().map(|error| error.text).collect(),
    }
}

fn by_name(mut counts: Counts) -> std::collections::BTreeMap<String, u64> {
    let kinds = OutcomeKind::ALL.into_iter();
    kinds
        .map(|kind| (kind.as_str().to_owned(), *counts.of_mut(kind)))
        .collect()
}

/// More rows than any world has.
const MOST: usize = 1000;
