//! Calls that take too long, and callers that leave.

use std::time::Duration;

use nextedge_core::sink::ItemEnd;

use super::super::bench::{Bench, next_attempt, told, unknown};
use super::super::harness::{Fault, FaultKind, SinkHarness};
use crate::account::Account;
use crate::verdict::{Verdict, ensure};

/// A write that is not answered ends with the deadline of the call, and leaves one of each.
pub async fn deadline_ends_the_call(harness: &dyn SinkHarness) -> Verdict {
    let parts = Bench::open(harness, &[FaultKind::Stall]).await?.parts();
    for part in parts {
        let mut bench = Bench::open(harness, &[]).await?;
        let mail = bench.mail(1)?;
        bench.inject(Fault::Stall { part }).await;
        let cx = bench.cx(Account::First)?;
        let batch = std::slice::from_ref(&mail);
        let mut call = bench.sink.deliver(&cx, batch);
        bench.until_stalled(&mut call).await?;
        bench.clock.advance(cx.remaining() + Duration::from_secs(1));
        let answer = bench.within("deliver", call).await?;
        let mut again = mail.clone();
        if let Ok(outcomes) = &answer {
            let outcome = &outcomes[0];
            ensure!(
                matches!(outcome.end, ItemEnd::Unknown(_)),
                "writing the {part:?} was not answered, and the item is {}",
                told(outcome)
            );
            again = next_attempt(&mail, outcome);
        }
        bench.recover().await;
        bench.deliver_all(&[again]).await?;
        bench.one_of_each(&format!("{part:?} unanswered")).await?;
    }
    Ok(())
}

/// After the caller has dropped the call nothing more is written, and the next attempt leaves one.
pub async fn dropped_call_is_recoverable(harness: &dyn SinkHarness) -> Verdict {
    let parts = Bench::open(harness, &[FaultKind::Stall]).await?.parts();
    for part in parts {
        let mut bench = Bench::open(harness, &[]).await?;
        let mail = bench.mail(1)?;
        bench.inject(Fault::Stall { part }).await;
        {
            let cx = bench.cx(Account::First)?;
            let batch = std::slice::from_ref(&mail);
            let mut call = bench.sink.deliver(&cx, batch);
            bench.until_stalled(&mut call).await?;
        }
        // what was on its way may still arrive; nothing may follow it
        let sent = bench.world.calls().await;
        bench.world.lift().await;
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
        let calls = bench.world.calls().await;
        ensure!(
            calls <= sent + 1,
            "the caller left at the {part:?}, and {} calls followed",
            calls - sent
        );
        bench.recover().await;
        bench.deliver_all(&[unknown(&mail)]).await?;
        bench
            .one_of_each(&format!("dropped at the {part:?}"))
            .await?;
    }
    Ok(())
}

/// Turns given to work that goes on in secret.
const TURNS: usize = 200;
