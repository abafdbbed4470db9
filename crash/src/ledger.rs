//! The store against the sources: what was shown stands in exactly one state, at every opening.
//!
//! The oracle is the source's own journal and the truth of the world, never a count of the engine.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::Path;

use crate::Failure;
use crate::layout::{id_in, mails, path};
use crate::spec::{BoxPicture, Row, TenantPicture, Tuning};
use crate::world::{BoxKind, Fate, Mail, Mailbox, Tenant};

/// What was seen at earlier openings: the state of each sighting.
#[derive(Debug, Default)]
pub(crate) struct Past(BTreeMap<(String, String, String), String>);

/// Checks what a store holds when it is opened after a kill.
pub(crate) fn check_opened(
    root: &Path,
    tenant: &Tenant,
    picture: &TenantPicture,
    tuning: &Tuning,
    past: &mut Past,
    faults: &mut Vec<String>,
) -> Result<(), Failure> {
    for mailbox in &tenant.boxes {
        let known = picture.boxes.iter().find(|one| one.id == mailbox.id);
        let rows = rows_of(picture, mailbox);
        let ids: BTreeSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        let place = format!("{}/{}", tenant.name, mailbox.id);
        if ids.len() != rows.len() {
            faults.push(format!("{place}: an id stands in two rows"));
        }
        let shown = shown(root, tenant, mailbox)?;
        for id in ids.iter().filter(|id| !shown.contains(**id)) {
            faults.push(format!("{place}: {id} was never shown by the source"));
        }
        for id in committed(tenant, mailbox, known).difference(&owned(&ids)) {
            faults.push(format!(
                "{place}: {id} was on a committed page and is in no state"
            ));
        }
        check_counts(&place, known, &rows, faults);
    }
    check_past(tenant, picture, past, faults);
    check_due(tenant, picture, tuning, faults);
    Ok(())
}

/// Checks that every mail of the world came to its end.
pub(crate) fn check_ended(tenant: &Tenant, picture: &TenantPicture, faults: &mut Vec<String>) {
    for mail in &tenant.mails {
        let mut rows = Vec::new();
        for mailbox in &tenant.boxes {
            if mails(tenant, mailbox).any(|one| one.tag == mail.tag) {
                let id = id_in(mailbox, mail);
                let found = rows_of(picture, mailbox);
                rows.extend(found.into_iter().filter(|row| row.id == id));
            }
        }
        check_fate(tenant, mail, &rows, faults);
    }
    let total: usize = tenant.boxes.iter().map(|one| one.shows.len()).sum();
    if picture.rows.len() != total {
        let rows = picture.rows.len();
        faults.push(format!(
            "{}: {rows} rows for {total} sightings",
            tenant.name
        ));
    }
}

fn check_fate(tenant: &Tenant, mail: &Mail, rows: &[&Row], faults: &mut Vec<String>) {
    let fate = tenant.fate(mail);
    let fits = |row: &&&Row| match fate {
        Fate::Written => row.state == "delivered",
        Fate::ParkedMachine => row.state == "parked" && row.reason.starts_with("machine:"),
        Fate::ParkedNothing => row.state == "parked" && row.reason == "not_relevant",
        Fate::ParkedRejected => row.state == "parked" && row.reason == "rejected",
    };
    let ends: Vec<&&Row> = rows.iter().filter(fits).collect();
    let copies = rows.iter().filter(|row| {
        let of = row.reason.strip_prefix("duplicate_of:");
        row.state == "parked" && of.is_some_and(|of| ends.iter().any(|end| end.message == of))
    });
    // machine mail is parked before anybody compares it with what was seen
    let alone = ends.len() == 1 || fate == Fate::ParkedMachine && !ends.is_empty();
    if rows.len() == mail.copies && alone && ends.len() + copies.count() == mail.copies {
        return;
    }
    let seen: Vec<String> = rows
        .iter()
        .map(|row| {
            format!(
                "{} {} {} {:?}",
                row.mailbox, row.state, row.reason, row.errors
            )
        })
        .collect();
    faults.push(format!(
        "{}: {} should be {fate:?} once among {} copies, but is {seen:?}",
        tenant.name, mail.tag, mail.copies
    ));
}

fn rows_of<'a>(picture: &'a TenantPicture, mailbox: &Mailbox) -> Vec<&'a Row> {
    let rows = picture.rows.iter();
    rows.filter(|row| row.mailbox == mailbox.id).collect()
}

fn owned(ids: &BTreeSet<&str>) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

/// The ids that the source wrote down before it showed them; a folder of files is its own journal.
fn shown(root: &Path, tenant: &Tenant, mailbox: &Mailbox) -> Result<HashSet<String>, Failure> {
    if mailbox.kind == BoxKind::Files {
        return Ok(mails(tenant, mailbox)
            .map(|mail| id_in(mailbox, mail))
            .collect());
    }
    let text = fs::read_to_string(path(root, tenant, mailbox).join("shown"))?;
    Ok(text.split_whitespace().map(str::to_owned).collect())
}

/// The ids on pages whose state the store says it has committed.
fn committed(tenant: &Tenant, mailbox: &Mailbox, known: Option<&BoxPicture>) -> BTreeSet<String> {
    let Some(known) = known else {
        return BTreeSet::new();
    };
    let number = |text: &Option<String>| text.as_ref().and_then(|text| text.parse().ok());
    let upto = match (mailbox.kind, known.live) {
        (BoxKind::Files, true) => mailbox.shows.len(),
        (BoxKind::Files, false) => 0,
        (_, true) => number(&known.page).or(number(&known.cursor)).unwrap_or(0),
        (BoxKind::OldestFirst, false) => number(&known.page).unwrap_or(0),
        // how long the listing is was only known to the process that died
        (BoxKind::NewestFirst, false) => 0,
    };
    let first = mails(tenant, mailbox).take(upto);
    first.map(|mail| id_in(mailbox, mail)).collect()
}

/// The store's own counters must agree with its rows.
fn check_counts(place: &str, known: Option<&BoxPicture>, rows: &[&Row], faults: &mut Vec<String>) {
    let Some(known) = known else {
        if !rows.is_empty() {
            faults.push(format!("{place}: rows without a mailbox"));
        }
        return;
    };
    for (state, count) in &known.counts {
        let found = rows.iter().filter(|row| row.state == *state).count() as u64;
        if found != *count {
            faults.push(format!("{place}: {count} counted as {state}, {found} rows"));
        }
    }
}

/// No sighting vanishes, and none leaves a state that is final.
fn check_past(tenant: &Tenant, picture: &TenantPicture, past: &mut Past, faults: &mut Vec<String>) {
    let key = |row: &Row| (tenant.name.clone(), row.mailbox.clone(), row.id.clone());
    let now: BTreeMap<_, _> = picture
        .rows
        .iter()
        .map(|row| (key(row), row.state.clone()))
        .collect();
    for (sighting, state) in past.0.iter().filter(|(key, _)| key.0 == tenant.name) {
        let is = now.get(sighting);
        let stays = match state.as_str() {
            "delivered" | "parked" => is == Some(state),
            _ => is.is_some(),
        };
        if !stays {
            faults.push(format!("{sighting:?} was {state} and is {is:?}"));
        }
    }
    past.0.extend(now);
}

/// What waits for time alone is due within the settle time: nobody waits for a dead lease.
fn check_due(tenant: &Tenant, picture: &TenantPicture, tuning: &Tuning, faults: &mut Vec<String>) {
    let some = |state: &str| picture.rows.iter().any(|row| row.state == state);
    // what waits for a person may hold others of its thread; an account that throttles names its time
    let pending = some("pending") && !some("review") && !picture.gated;
    let most = i64::try_from(tuning.settle_ms.max(RETRY_MS)).unwrap_or(i64::MAX);
    match picture.due_ms {
        Some(due) if due > most && pending => {
            let name = &tenant.name;
            faults.push(format!(
                "{name}: the next work is due in {due} ms, not {most}"
            ));
        }
        None if pending => faults.push(format!("{}: pending, and nothing is due", tenant.name)),
        Some(_) | None => {}
    }
}

/// The longest wait of a retry of the workers.
const RETRY_MS: u64 = 50;
