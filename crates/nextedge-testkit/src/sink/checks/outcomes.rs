//! One outcome for each item, effects always, runs in order.

use nextedge_core::sink::{Delivery, ItemEnd};
use nextedge_core::{ErrorKind, Guarantee, Slot};

use super::super::bench::{Bench, error_of, is_done, is_untouched, next_attempt, record_of, told};
use super::super::harness::{Fault, FaultKind, Part, SinkHarness};
use crate::account::Account;
use crate::verdict::{Stop, Verdict, ensure};

/// Outcomes come in input order, one for each item, and name the records of their own mail.
pub async fn answers_each_item_in_order(harness: &dyn SinkHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    let batch = bench.mails(bench.capabilities.max_batch.clamp(1, 5))?;
    let outcomes = bench.deliver_all(&batch).await?;
    let seen = bench.seen().await;
    for (delivery, outcome) in batch.iter().zip(&outcomes) {
        let activity = record_of(outcome, &Slot::Activity)?;
        let mut activities = seen.activities.iter();
        let found = activities.find(|seen| seen.id == activity.id.as_str());
        let subject = found.map(|seen| seen.subject.as_str());
        let own = delivery.activity.draft.subject.as_str();
        ensure!(
            subject == Some(own),
            "the outcome of {own:?} names the activity of {subject:?}"
        );
    }
    Ok(())
}

/// An empty batch is answered without a call.
pub async fn empty_batch_makes_no_call(harness: &dyn SinkHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    let cx = bench.cx(Account::First)?;
    // what a sink reads once for each account does not count
    let described = bench.within("describe", bench.sink.describe(&cx)).await?;
    described.map_err(|error| Stop::failed(format!("describe failed: {error}")))?;
    let (_, calls) = bench.counted(bench.deliver(&[])).await?;
    ensure!(calls == 0, "an empty batch cost {calls} calls");
    Ok(())
}

/// Effects achieved before a failure are returned with it, and not repeated once they are in `done`.
pub async fn achieved_effects_are_returned_and_resumed(harness: &dyn SinkHarness) -> Verdict {
    let mut bench = Bench::open(harness, &[FaultKind::Refuse]).await?;
    let first = bench.mail(1)?;
    bench.inject(refusal(Part::Activity, 0, &first)).await;
    let outcomes = bench.deliver(std::slice::from_ref(&first)).await?;
    ensure!(
        matches!(outcomes[0].end, ItemEnd::Failed(_)),
        "a refused activity must be a failure, but the item is {}",
        told(&outcomes[0])
    );
    let achieved = bench.seen().await.records.len();
    let effects = outcomes[0].effects.len();
    ensure!(
        effects == achieved && achieved > 0,
        "{achieved} records were written before the failure, but {effects} effects returned"
    );
    bench.recover().await;
    let second = next_attempt(&first, &outcomes[0]);
    let outcomes = bench.deliver_all(std::slice::from_ref(&second)).await?;
    for effect in &outcomes[0].effects {
        let repeated = second.done.iter().any(|done| done.slot == effect.slot);
        ensure!(
            !repeated,
            "{:?} was done and is reported again",
            effect.slot
        );
    }
    bench.one_of_each("after resuming").await
}

/// After the first item of a run that is not done, the rest of that run is not attempted.
pub async fn run_stops_at_its_first_failure(harness: &dyn SinkHarness) -> Verdict {
    let bench = Bench::open(harness, &[FaultKind::Refuse]).await?;
    need_batch(&bench, 4)?;
    let first = bench.mail(1)?;
    let batch = [
        first.clone(),
        bench.reply(2, &first, 0)?,
        bench.reply(3, &first, 0)?,
        bench.mail(4)?,
    ];
    bench.inject(refusal(Part::Activity, 0, &first)).await;
    let outcomes = bench.deliver(&batch).await?;
    ensure!(
        error_of(&outcomes[0]).is_some(),
        "the refused item is {}",
        told(&outcomes[0])
    );
    for index in [1, 2] {
        ensure!(
            is_untouched(&outcomes[index]),
            "item {index} comes after a failure of its run and is {}",
            told(&outcomes[index])
        );
    }
    ensure!(
        is_done(&outcomes[3]),
        "an item of another run is {}",
        told(&outcomes[3])
    );
    let activities = bench.seen().await.activities;
    let subjects: Vec<&str> = activities
        .iter()
        .map(|seen| seen.subject.as_str())
        .collect();
    ensure!(
        subjects == ["Subject 4"],
        "written are {subjects:?} instead of only Subject 4"
    );
    Ok(())
}

/// One poisoned item costs at most three extra calls, and the others land.
pub async fn poisoned_item_costs_little_and_spares_the_rest(harness: &dyn SinkHarness) -> Verdict {
    let clean = Bench::open(harness, &[FaultKind::Refuse]).await?;
    need_batch(&clean, 2)?;
    let count = clean.capabilities.max_batch.min(25);
    let poisoned = count / 2;
    let (_, usual) = clean
        .counted(clean.deliver_all(&clean.mails(count)?))
        .await?;
    for part in [Part::Record, Part::Activity] {
        let bench = Bench::open(harness, &[]).await?;
        if part == Part::Record && bench.record_kind().is_none() {
            continue;
        }
        let batch = bench.mails(count)?;
        bench
            .inject(refusal(part, poisoned, &batch[poisoned]))
            .await;
        let (outcomes, calls) = bench.counted(bench.deliver(&batch)).await?;
        for (index, outcome) in outcomes.iter().enumerate() {
            let fits = is_done(outcome) != (index == poisoned);
            ensure!(
                fits,
                "item {poisoned} was poisoned at {part:?}, item {index} is {}",
                told(outcome)
            );
        }
        let kind = error_of(&outcomes[poisoned]).map(nextedge_core::Error::kind);
        ensure!(
            kind == Some(ErrorKind::Rejected),
            "the poisoned item has kind {kind:?}, not Rejected"
        );
        ensure!(
            calls <= usual + 3,
            "{calls} calls with a poisoned item, {usual} without"
        );
    }
    Ok(())
}

/// The record that an earlier item of the run creates is the record of the later ones.
pub async fn earlier_item_gives_the_record(harness: &dyn SinkHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    need_batch(&bench, 3)?;
    let kind = bench.need_record_kind()?;
    let first = bench.mail(1)?;
    let batch = [
        first.clone(),
        bench.reply(2, &first, 0)?,
        bench.reply(3, &first, 0)?,
    ];
    bench.deliver_all(&batch).await?;
    let seen = bench.seen().await;
    let records = seen.of(&kind);
    ensure!(
        records.len() == 1,
        "a run made {} records instead of 1",
        records.len()
    );
    let record = &records[0].record;
    let on_it = seen
        .activities
        .iter()
        .filter(|mail| mail.on.contains(record))
        .count();
    ensure!(
        on_it == 3,
        "{on_it} of 3 mails of the run stand on its record"
    );
    Ok(())
}

/// A batch of `max_batch` items is taken whole, and costs no more calls than mails sent one by one.
pub async fn full_batch_costs_no_more_than_single_mails(harness: &dyn SinkHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    let max = bench.capabilities.max_batch;
    ensure!(max > 0, "max_batch is 0, so the engine could never deliver");
    let batch = bench.mails(max)?;
    let (_, whole) = bench.counted(bench.deliver_all(&batch)).await?;
    let single = Bench::open(harness, &[]).await?;
    let (_, one) = single.counted(single.deliver_all(&batch[..1])).await?;
    ensure!(
        whole <= one * max,
        "a batch of {max} cost {whole} calls, one mail alone {one}"
    );
    let activities = bench.seen().await.activities.len();
    ensure!(activities == max, "{activities} activities for {max} mails");
    Ok(())
}

/// Effects claim `Keyed` only where the sink declares it.
pub async fn guarantee_agrees_with_capabilities(harness: &dyn SinkHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    let outcomes = bench.deliver_all(&bench.mails(1)?).await?;
    let own = |slot: &Slot| matches!(slot, Slot::Record | Slot::Activity);
    for effect in outcomes[0]
        .effects
        .iter()
        .filter(|effect| own(&effect.slot))
    {
        ensure!(
            effect.guarantee == Guarantee::LookedUp || bench.capabilities.keyed,
            "the {:?} claims Keyed, which the capabilities do not declare",
            effect.slot
        );
    }
    Ok(())
}

/// Every call to the vendor is reported to the context, so that the audit shows it.
pub async fn every_call_is_reported(harness: &dyn SinkHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    let cx = bench.cx(Account::First)?;
    let batch = bench.mails(1)?;
    let before = bench.world.calls().await;
    let answer = bench
        .within("deliver", bench.sink.deliver(&cx, &batch))
        .await?;
    answer.map_err(|error| Stop::failed(format!("deliver failed: {error}")))?;
    let (calls, reported) = (bench.world.calls().await - before, cx.take_calls().len());
    ensure!(
        calls == reported,
        "{calls} calls reached the far system, {reported} were reported"
    );
    Ok(())
}

/// A refusal of the write that a part of this delivery makes.
pub(super) fn refusal(part: Part, index: usize, delivery: &Delivery) -> Fault {
    let record_key = match &delivery.record {
        nextedge_core::sink::RecordWrite::Create { key, .. } => key.clone(),
        _ => delivery.key.clone(),
    };
    Fault::Refuse {
        part,
        index,
        key: match part {
            Part::Record => record_key,
            _ => delivery.key.clone(),
        },
        field: "kit_field".to_owned(),
        words: delivery.activity.text.clone(),
    }
}

fn need_batch(bench: &Bench, items: usize) -> Verdict {
    if bench.capabilities.max_batch >= items {
        return Ok(());
    }
    let declared = bench.capabilities.max_batch;
    Err(Stop::skipped(format!(
        "the sink declares batches of {declared}, the check needs {items}"
    )))
}
