//! Nothing twice: replays, lost answers, parties that several mails share.

use std::collections::BTreeSet;

use nextedge_core::sink::ItemEnd;
use nextedge_core::{EffectVerb, Guarantee, RecordKind, Slot};

use super::super::bench::{Bench, is_done, next_attempt, sender, told, unknown};
use super::super::harness::{Fault, FaultKind, SinkHarness, Times};
use crate::verdict::{Stop, Verdict, ensure};

/// The same delivery, sent twice without a word of doubt, leaves one record and one activity.
pub async fn replay_leaves_one(harness: &dyn SinkHarness) -> Verdict {
    let mut bench = Bench::open(harness, &[]).await?;
    if !bench.capabilities.keyed {
        return Err(Stop::skipped("the sink does not declare keyed"));
    }
    let batch = bench.mails(1)?;
    let outcomes = bench.deliver_all(&batch).await?;
    let mut effects = outcomes[0].effects.iter();
    if effects.any(|effect| effect.guarantee == Guarantee::LookedUp) {
        return Err(Stop::skipped(
            "the account gives the guarantee LookedUp, so the engine marks each replay as unknown",
        ));
    }
    bench.restart();
    bench.deliver_all(&batch).await?;
    bench.one_of_each("after a replay").await
}

/// An item marked `outcome_unknown` that was applied is found and not created again.
pub async fn unknown_outcome_leaves_one(harness: &dyn SinkHarness) -> Verdict {
    let mut bench = Bench::open(harness, &[]).await?;
    let mail = bench.mail(1)?;
    bench.deliver_all(std::slice::from_ref(&mail)).await?;
    bench.restart();
    bench.deliver_all(&[unknown(&mail)]).await?;
    bench
        .one_of_each("after an attempt of unknown outcome")
        .await
}

/// A write that was applied and whose answer was lost leaves one record, whichever write it was.
///
/// If every answer is lost, the item is `Unknown`, never `Failed` or `Done`.
pub async fn lost_response_leaves_one(harness: &dyn SinkHarness) -> Verdict {
    let parts = Bench::open(harness, &[FaultKind::LoseResponse])
        .await?
        .parts();
    for part in parts {
        for times in [Times::Once, Times::UntilLifted] {
            let mut bench = Bench::open(harness, &[]).await?;
            let mail = bench.mail(1)?;
            bench.inject(Fault::LoseResponse { part, times }).await;
            let outcomes = bench.deliver(std::slice::from_ref(&mail)).await?;
            let outcome = &outcomes[0];
            let honest = matches!(outcome.end, ItemEnd::Unknown(_))
                || (times == Times::Once && is_done(outcome));
            ensure!(
                honest,
                "the answer to writing the {part:?} was lost ({times:?}), and the item is {}",
                told(outcome)
            );
            bench.recover().await;
            if !is_done(outcome) {
                bench.deliver_all(&[next_attempt(&mail, outcome)]).await?;
            }
            bench
                .one_of_each(&format!("{part:?} lost, {times:?}"))
                .await?;
        }
    }
    Ok(())
}

/// A party that several items of a batch create is created once, and all of them use it.
pub async fn shared_party_is_created_once(harness: &dyn SinkHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    if bench.capabilities.max_batch < 2 {
        return Err(Stop::skipped("the sink declares batches of 1"));
    }
    let (first, mut second) = (bench.mail(1)?, bench.mail(2)?);
    second.contact = first.contact.clone();
    second.company = first.company.clone();
    bench.deliver_all(&[first, second]).await?;
    let seen = bench.seen().await;
    let mut kinds = vec![RecordKind::Contact];
    kinds.extend(
        bench
            .capabilities
            .kinds
            .iter()
            .find(|kind| **kind == RecordKind::Company)
            .cloned(),
    );
    for kind in kinds {
        let count = seen.of(&kind).len();
        ensure!(
            count == 1,
            "two mails of one sender made {count} records of kind {kind}"
        );
    }
    let contact = &seen.of(&RecordKind::Contact)[0].record;
    let on_it = seen
        .activities
        .iter()
        .filter(|mail| mail.on.contains(contact))
        .count();
    ensure!(on_it == 2, "{on_it} of 2 mails stand on their contact");
    Ok(())
}

/// A contact that somebody else created after the find is adopted, and the effect says so.
pub async fn contact_that_appeared_is_adopted(harness: &dyn SinkHarness) -> Verdict {
    let bench = Bench::open(harness, &[FaultKind::Duplicate]).await?;
    let mail = bench.mail(1)?;
    bench.inject(Fault::Duplicate { address: sender(1) }).await;
    let outcomes = bench.deliver_all(&[mail]).await?;
    let count = bench.seen().await.of(&RecordKind::Contact).len();
    ensure!(
        count == 1,
        "{count} contacts instead of the one that appeared"
    );
    let effect = outcomes[0]
        .effects
        .iter()
        .find(|effect| effect.slot == Slot::Contact);
    let verb = effect.map(|effect| effect.verb);
    ensure!(
        verb == Some(EffectVerb::Adopted),
        "the contact's effect is {verb:?}, not Adopted"
    );
    Ok(())
}

/// Two mails that bear one Message-ID and are otherwise different are two activities.
pub async fn two_mails_with_one_message_id_stay_two(harness: &dyn SinkHarness) -> Verdict {
    let mut bench = Bench::open(harness, &[]).await?;
    let (first, mut second) = (bench.mail(1)?, bench.mail(2)?);
    second.activity.draft.message_id = first.activity.draft.message_id.clone();
    bench.deliver_all(&[first]).await?;
    bench.restart();
    bench.deliver_all(&[unknown(&second)]).await?;
    let activities = bench.seen().await.activities;
    let subjects: BTreeSet<&str> = activities
        .iter()
        .map(|seen| seen.subject.as_str())
        .collect();
    ensure!(
        activities.len() == 2 && subjects.len() == 2,
        "two mails with one Message-ID became {} activities",
        activities.len()
    );
    Ok(())
}
