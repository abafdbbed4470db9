//! What the far system refuses for the moment or for good, and what the error says.

use std::time::Duration;

use nextedge_core::sink::{Delivery, ItemOutcome};
use nextedge_core::{Error, ErrorKind, Reach, RecordKind, Retry, Slot};

use super::super::bench::{
    Bench, WORDS, error_of, is_done, is_untouched, next_attempt, record_of, sender, told,
};
use super::super::harness::{Fault, FaultKind, Part, SinkHarness, Times};
use super::outcomes::refusal;
use crate::account::Account;
use crate::verdict::{Stop, Verdict, ensure};

/// `deliver` fails as a whole only while nothing was written.
pub async fn whole_error_only_before_the_first_write(harness: &dyn SinkHarness) -> Verdict {
    let lacks = |kind: FaultKind| {
        harness
            .missing()
            .iter()
            .any(|(missing, _)| *missing == kind)
    };
    let parts = Bench::open(harness, &[]).await?.parts();
    for part in parts {
        let faults = [
            (FaultKind::Cut, Fault::Cut { part }),
            (
                FaultKind::Throttle,
                Fault::Throttle {
                    part: Some(part),
                    after: DELAY,
                },
            ),
            (
                FaultKind::ExpireToken,
                Fault::ExpireToken { part: Some(part) },
            ),
            (
                FaultKind::LoseResponse,
                Fault::LoseResponse {
                    part,
                    times: Times::UntilLifted,
                },
            ),
        ];
        for (_, fault) in faults.into_iter().filter(|(kind, _)| !lacks(*kind)) {
            let bench = Bench::open(harness, &[]).await?;
            let told = format!("{fault:?}");
            bench.inject(fault).await;
            if bench.try_deliver(&bench.mails(1)?).await?.is_err() {
                let seen = bench.seen().await;
                ensure!(
                    seen.is_empty(),
                    "{told}: the whole call failed after something was written"
                );
            }
        }
    }
    Ok(())
}

/// A 429 becomes `RateLimited` with the vendor's delay, reaches the connection, and burns no item.
pub async fn throttling_is_typed(harness: &dyn SinkHarness) -> Verdict {
    for part in [None, Some(Part::Activity)] {
        let mut bench = Bench::open(harness, &[FaultKind::Throttle]).await?;
        let batch = bench.mails(bench.capabilities.max_batch.clamp(1, 3))?;
        bench.inject(Fault::Throttle { part, after: DELAY }).await;
        let kept = stopped(&bench, &batch, |error| {
            ensure!(
                error.kind() == ErrorKind::RateLimited,
                "a 429 became {error}"
            );
            ensure!(
                error.retry() == Retry::After(DELAY),
                "the vendor asked for {DELAY:?}, the error says {:?}",
                error.retry()
            );
            Ok(())
        });
        let kept = kept.await?;
        bench.recover().await;
        bench.deliver_all(&again(&batch, &kept)).await?;
        let activities = bench.seen().await.activities.len();
        ensure!(
            activities == batch.len(),
            "{activities} activities for {} mails",
            batch.len()
        );
    }
    Ok(())
}

/// A refused token becomes `Unauthorized` for the connection; what was written before is kept.
pub async fn expired_token_is_unauthorized(harness: &dyn SinkHarness) -> Verdict {
    for part in [None, Some(Part::Activity)] {
        let mut bench = Bench::open(harness, &[FaultKind::ExpireToken]).await?;
        let batch = bench.mails(1)?;
        bench.inject(Fault::ExpireToken { part }).await;
        let kept = stopped(&bench, &batch, |error| {
            ensure!(
                error.kind() == ErrorKind::Unauthorized,
                "a refused token became {error}"
            );
            Ok(())
        });
        let kept = kept.await?;
        bench.recover().await;
        bench.deliver_all(&again(&batch, &kept)).await?;
        bench.one_of_each("after a new token").await?;
    }
    Ok(())
}

/// Delivers into a fault that concerns the connection: one error says so, no other item is blamed,
/// and every write is told as an effect. Returns the outcomes, none if the call failed as a whole.
async fn stopped(
    bench: &Bench,
    batch: &[Delivery],
    fits: impl Fn(&Error) -> Verdict,
) -> Result<Vec<ItemOutcome>, Stop> {
    let reaches = |error: &Error| -> Verdict {
        fits(error)?;
        ensure!(
            error.reach() != Reach::Item,
            "{error}: concerns more than its item"
        );
        Ok(())
    };
    let outcomes = match bench.try_deliver(batch).await? {
        Err(error) => {
            reaches(&error)?;
            return Ok(Vec::new());
        }
        Ok(outcomes) => outcomes,
    };
    let errors: Vec<&Error> = outcomes.iter().filter_map(error_of).collect();
    ensure!(
        errors.len() == 1,
        "{} items are blamed for one condition of the connection",
        errors.len()
    );
    reaches(errors[0])?;
    let rest = outcomes
        .iter()
        .filter(|outcome| error_of(outcome).is_none());
    for outcome in rest {
        ensure!(
            is_untouched(outcome),
            "an item beside the blamed one is {}",
            told(outcome)
        );
    }
    let created: usize = outcomes.iter().map(|outcome| outcome.effects.len()).sum();
    let held = bench.seen().await.records.len();
    ensure!(
        created >= held,
        "{held} records were written, but only {created} effects returned"
    );
    Ok(outcomes)
}

fn again(batch: &[Delivery], outcomes: &[ItemOutcome]) -> Vec<Delivery> {
    if outcomes.is_empty() {
        return batch.to_vec();
    }
    let pairs = batch.iter().zip(outcomes);
    pairs
        .map(|(delivery, outcome)| next_attempt(delivery, outcome))
        .collect()
}

/// A field that the account no longer knows is named in the error of its item.
pub async fn drift_names_the_field(harness: &dyn SinkHarness) -> Verdict {
    let bench = Bench::open(harness, &[FaultKind::Drift]).await?;
    let kind = bench.record_kind().unwrap_or(RecordKind::Contact);
    let cx = bench.cx(Account::First)?;
    let described = bench.within("describe", bench.sink.describe(&cx)).await?;
    described.map_err(|error| Stop::failed(format!("describe failed: {error}")))?;
    let draft = bench.world.draft(&kind, "Drift");
    let field = draft.fields.keys().next_back();
    let field = field.ok_or_else(|| Stop::failed(format!("the draft of {kind} has no field")))?;
    let field = field.to_string();
    bench
        .inject(Fault::Drift {
            kind,
            field: field.clone(),
        })
        .await;
    let outcomes = bench.deliver(&bench.mails(1)?).await?;
    let error = error_of(&outcomes[0]);
    let error = error.ok_or_else(|| {
        Stop::failed(format!(
            "the account lost {field}, and the item is {}",
            told(&outcomes[0])
        ))
    })?;
    ensure!(
        error.kind() == ErrorKind::Rejected && error.context("field") == Some(field.as_str()),
        "the account lost {field}, the error says {error}"
    );
    Ok(())
}

/// A record that another writer holds is tried again later, and other mails land.
pub async fn locked_record_is_tried_again(harness: &dyn SinkHarness) -> Verdict {
    let mut bench = Bench::open(harness, &[FaultKind::Lock]).await?;
    let kind = bench.need_record_kind()?;
    let outcomes = bench.deliver_all(&bench.mails(1)?).await?;
    let record = record_of(&outcomes[0], &Slot::Record)?;
    let mut join = bench.joining(2, &outcomes[0].effects)?;
    join.record = nextedge_core::sink::RecordWrite::Known {
        record: record.clone(),
        fields: bench.world.draft(&kind, "Changed").fields,
    };
    bench.inject(Fault::Lock { record }).await;
    let mut batch = vec![join.clone()];
    if bench.capabilities.max_batch > 1 {
        batch.push(bench.mail(3)?);
    }
    let outcomes = bench.deliver(&batch).await?;
    may_come_again(&outcomes[0], "a locked record")?;
    let others = outcomes.iter().skip(1);
    for outcome in others {
        ensure!(
            is_done(outcome),
            "beside a locked record another mail is {}",
            told(outcome)
        );
    }
    bench.recover().await;
    bench
        .deliver_all(&[next_attempt(&join, &outcomes[0])])
        .await?;
    Ok(())
}

/// A connection that is cut before a write is tried again, and leaves one of each.
pub async fn cut_connection_is_tried_again(harness: &dyn SinkHarness) -> Verdict {
    let parts = Bench::open(harness, &[FaultKind::Cut]).await?.parts();
    for part in parts {
        let mut bench = Bench::open(harness, &[]).await?;
        let batch = bench.mails(1)?;
        bench.inject(Fault::Cut { part }).await;
        let kept = match bench.try_deliver(&batch).await? {
            Ok(outcomes) => {
                may_come_again(&outcomes[0], "a cut connection")?;
                outcomes
            }
            Err(error) => {
                ensure!(
                    error.retry() != Retry::Never,
                    "a cut connection became {error}"
                );
                Vec::new()
            }
        };
        bench.recover().await;
        bench.deliver_all(&again(&batch, &kept)).await?;
        bench.one_of_each(&format!("{part:?} cut")).await?;
    }
    Ok(())
}

fn may_come_again(outcome: &ItemOutcome, what: &str) -> Verdict {
    if is_untouched(outcome) {
        return Ok(());
    }
    let error = error_of(outcome);
    let error =
        error.ok_or_else(|| Stop::failed(format!("{what} left an item {}", told(outcome))))?;
    ensure!(
        error.retry() != Retry::Never,
        "{what} is no reason to give a mail up: {error}"
    );
    Ok(())
}

/// No error shows a token, an address or words of the mail, whatever the vendor writes into its own.
pub async fn errors_tell_no_secret(harness: &dyn SinkHarness) -> Verdict {
    let bench = Bench::open(harness, &[FaultKind::Refuse]).await?;
    let mail = bench.mail(1)?;
    let mut hidden = bench.world.secrets();
    hidden.extend([WORDS.to_owned(), sender(1)]);
    let mut fault = refusal(Part::Activity, 0, &mail);
    if let Fault::Refuse { words, .. } = &mut fault {
        *words = format!("cannot take mail of {}: {}", sender(1), mail.activity.text);
    }
    bench.inject(fault).await;
    let outcomes = bench.deliver(&[mail]).await?;
    let error = error_of(&outcomes[0]);
    let error =
        error.ok_or_else(|| Stop::failed(format!("a refused item is {}", told(&outcomes[0]))))?;
    shows_nothing(error, &hidden)?;
    bench.world.lift().await;
    if harness
        .missing()
        .iter()
        .all(|(missing, _)| *missing != FaultKind::ExpireToken)
    {
        bench.inject(Fault::ExpireToken { part: None }).await;
        let cx = bench.cx(Account::First)?;
        if let Err(error) = bench.within("check", bench.sink.check(&cx)).await? {
            shows_nothing(&error, &hidden)?;
        }
    }
    Ok(())
}

fn shows_nothing(error: &Error, hidden: &[String]) -> Verdict {
    let report = error.report();
    let shown = format!("{error} {error:?} {report:?}");
    for (place, secret) in hidden.iter().enumerate() {
        // the secret itself is not repeated here either
        ensure!(
            !shown.contains(secret.as_str()),
            "an error of {} shows hidden text number {place}",
            error.operation()
        );
    }
    ensure!(
        error.to_string().lines().count() == 1,
        "an error has more than one line"
    );
    Ok(())
}

/// The delay that the far system asks for: too long to sit out.
const DELAY: Duration = Duration::from_secs(90);
