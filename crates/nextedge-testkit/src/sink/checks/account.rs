//! Accounts: what they can do, and that they share nothing.

use std::collections::BTreeSet;

use nextedge_core::policy::{CategoryMap, FieldMap, KnownParty, preflight};
use nextedge_core::sink::{FindRequest, Found, PartyQuery, RecordState};
use nextedge_core::{Domain, EmailAddress, ErrorKind, FieldName, RecordKind, Slot};

use super::super::bench::{Bench, record_of, sender};
use super::super::harness::{Fault, FaultKind, SinkHarness};
use crate::account::Account;
use crate::verdict::{Stop, Verdict, ensure, own_input};

/// Mail of one tenant or connection never meets what another one wrote.
pub async fn accounts_share_nothing(harness: &dyn SinkHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    let batch = bench.mails(1)?;
    let mut ids = BTreeSet::new();
    for account in Account::ALL {
        let outcomes = bench.deliver_to(account, &batch).await?;
        let own = bench.world.seen(account).await;
        ensure!(
            own.activities.len() == 1,
            "{account:?} holds {} activities",
            own.activities.len()
        );
        let contact = own.of(&RecordKind::Contact);
        ensure!(
            contact.len() == 1,
            "{account:?} holds {} contacts instead of its own 1",
            contact.len()
        );
        for effect in &outcomes[0].effects {
            let known = own.get(&effect.record).is_some()
                || !matches!(effect.slot, Slot::Company | Slot::Contact | Slot::Record);
            ensure!(
                known,
                "an effect of {account:?} names a record that is not its own"
            );
        }
        ids.insert((account, own.records.len()));
    }
    let sizes: BTreeSet<usize> = ids.into_iter().map(|(_, size)| size).collect();
    ensure!(
        sizes.len() == 1,
        "the same mail left different records in different accounts"
    );
    Ok(())
}

/// `check` names the account, and refuses a token that the vendor refuses.
pub async fn check_names_the_account_and_refuses_a_bad_token(harness: &dyn SinkHarness) -> Verdict {
    let bench = Bench::open(harness, &[FaultKind::ExpireToken]).await?;
    let cx = bench.cx(Account::First)?;
    let (name, calls) = bench
        .counted(async {
            let named = bench.within("check", bench.sink.check(&cx)).await?;
            named.map_err(|error| Stop::failed(format!("check refused a good account: {error}")))
        })
        .await?;
    ensure!(!name.is_empty(), "check named no account");
    ensure!(calls > 0, "check found the account in order without asking");
    bench.inject(Fault::ExpireToken { part: None }).await;
    match bench.within("check", bench.sink.check(&cx)).await? {
        Ok(_) => Err(Stop::failed(
            "check accepted a token that the vendor refuses",
        )),
        Err(error) => {
            ensure!(
                error.kind() == ErrorKind::Unauthorized,
                "a refused token became {error}"
            );
            Ok(())
        }
    }
}

/// The account has no more than the sink declares, and its default map passes its own preflight.
pub async fn description_agrees_with_capabilities(harness: &dyn SinkHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    let cx = bench.cx(Account::First)?;
    let described = bench.within("describe", bench.sink.describe(&cx)).await?;
    let described = described.map_err(|error| Stop::failed(format!("describe failed: {error}")))?;
    let declared = &bench.capabilities.kinds;
    let custom = |kind: &RecordKind| matches!(kind, RecordKind::Custom(_));
    for kind in described.objects.iter().map(|object| &object.kind) {
        ensure!(
            declared.contains(kind) || custom(kind),
            "the account has {kind}, which the capabilities do not declare"
        );
    }
    for kind in mapped_kinds(&described.default_map) {
        ensure!(
            declared.contains(&kind) || custom(&kind),
            "the default map creates {kind}, which the capabilities do not declare"
        );
    }
    if let Err(faults) = preflight(&described.default_map, &described) {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        return Err(Stop::failed(format!(
            "the default map fails its preflight: {}",
            faults.join("; ")
        )));
    }
    Ok(())
}

fn mapped_kinds(map: &FieldMap) -> BTreeSet<RecordKind> {
    let mut kinds = BTreeSet::new();
    let mut open: Vec<&CategoryMap> = map.categories.values().collect();
    while let Some(category) = open.pop() {
        kinds.insert(category.kind.clone());
        if let KnownParty::Instead(other) = &category.known_party {
            open.push(other);
        }
    }
    kinds
}

/// `find` writes nothing.
pub async fn find_writes_nothing(harness: &dyn SinkHarness) -> Verdict {
    let (bench, before) = filled(harness).await?;
    find(&bench, &request(&[1, 9])?).await?;
    let after = bench.seen().await;
    ensure!(before == after, "find changed what the far system holds");
    Ok(())
}

/// `find` answers parties and records in the order they were asked for.
pub async fn find_answers_in_input_order(harness: &dyn SinkHarness) -> Verdict {
    let (mut bench, seen) = filled(harness).await?;
    bench.restart();
    let mut wanted = request(&[2, 9, 1])?;
    let records = bench.record_kind().map(|kind| seen.of(&kind));
    let records = records.into_iter().flatten().rev();
    wanted.records = records.map(|seen| seen.record.clone()).collect();
    let found = find(&bench, &wanted).await?;
    let counts: Vec<usize> = found
        .parties
        .iter()
        .map(|party| party.contacts.len())
        .collect();
    ensure!(
        counts == [1, 0, 1],
        "known, unknown, known were found as {counts:?} contacts"
    );
    let contacts = seen.of(&RecordKind::Contact);
    for (place, contact) in [(0, 1), (2, 0)] {
        let got = &found.parties[place].contacts[0].record;
        let own = contacts.get(contact).map(|seen| &seen.record);
        ensure!(
            own == Some(got),
            "party {place} was answered with another's contact"
        );
    }
    ensure!(
        found.records.len() == wanted.records.len(),
        "{} records were asked for, {} answered",
        wanted.records.len(),
        found.records.len()
    );
    for state in &found.records {
        ensure!(
            *state == RecordState::Open,
            "a new record was found {state:?}"
        );
    }
    Ok(())
}

/// A far system with two mails.
async fn filled(
    harness: &dyn SinkHarness,
) -> Result<(Bench, super::super::harness::SeenCrm), Stop> {
    let bench = Bench::open(harness, &[]).await?;
    for n in [1, 2] {
        let outcomes = bench.deliver_all(&[bench.mail(n)?]).await?;
        record_of(&outcomes[0], &Slot::Activity)?;
    }
    let seen = bench.seen().await;
    Ok((bench, seen))
}

fn request(senders: &[usize]) -> Result<FindRequest, Stop> {
    let query = |n: &usize| -> Result<PartyQuery, Stop> {
        Ok(PartyQuery {
            addresses: vec![EmailAddress::parse(&sender(*n)).map_err(own_input)?],
            company: Some(Domain::parse(&format!("firm{n}.example")).map_err(own_input)?),
            fields: Vec::<FieldName>::new(),
        })
    };
    Ok(FindRequest {
        parties: senders.iter().map(query).collect::<Result<_, _>>()?,
        records: Vec::new(),
    })
}

async fn find(bench: &Bench, request: &FindRequest) -> Result<Found, Stop> {
    let cx = bench.cx(Account::First)?;
    let found = bench.within("find", bench.sink.find(&cx, request)).await?;
    let found = found.map_err(|error| Stop::failed(format!("find failed: {error}")))?;
    ensure!(
        found.parties.len() == request.parties.len(),
        "{} parties were asked for, {} answered",
        request.parties.len(),
        found.parties.len()
    );
    Ok(found)
}
