//! Raw bytes, one answer for each mail.

use std::collections::BTreeSet;
use std::time::Duration;

use nextedge_core::Reach;
use nextedge_core::source::{Fetched, Stub};

use super::super::bench::{Bench, items, mails, raw, with_body};
use super::super::harness::{SourceFaultKind, SourceHarness, SourceTrouble};
use crate::account::Account;
use crate::verdict::{Stop, Verdict, ensure};

/// Fetched mails come in the order of the batch, each byte as it arrived.
pub async fn fetch_gives_exact_bytes_in_order(harness: &dyn SourceHarness) -> Verdict {
    let mut bench = Bench::open(harness, &[]).await?;
    let mut sent = mails(0..3);
    sent.push(with_body(3, b"Caf\xe9 in Latin-1, undeclared\r\n"));
    sent.push(with_body(4, b"no line end at the end"));
    sent.push(with_body(
        5,
        b"bare\nline\nends, a tab\t, trailing spaces   \r\n\r\n\r\n",
    ));
    sent.push(with_body(
        6,
        b".\r\n..\r\nFrom the start of a line\r\n>From quoted\r\n",
    ));
    bench.put(&sent).await;
    let shown = bench.list_all(100).await?;
    let mut stubs: Vec<&Stub> = shown.stubs.iter().collect();
    let forth = bench.fetch(&stubs).await?;
    let got: BTreeSet<_> = forth.iter().map(raw).collect::<Result<_, _>>()?;
    for (n, mail) in sent.iter().enumerate() {
        ensure!(
            got.contains(&mail.raw),
            "mail {n} did not come byte for byte"
        );
    }
    stubs.reverse();
    bench.restart();
    let back = bench.fetch(&stubs).await?;
    let pairs = forth.iter().zip(back.iter().rev());
    for (forth, back) in pairs {
        ensure!(
            raw(forth)? == raw(back)?,
            "answers do not follow the order of the batch"
        );
    }
    Ok(())
}

/// A mail that is no longer there is `Gone`, and the others are read.
pub async fn removed_mail_is_gone(harness: &dyn SourceHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    bench.put(&mails(0..3)).await;
    let shown = bench.list_all(100).await?;
    bench
        .world
        .remove(Account::First, &shown.stubs[1].provider_id)
        .await;
    let stubs: Vec<&Stub> = shown.stubs.iter().collect();
    let answers = bench.fetch(&stubs).await?;
    raw(&answers[0])?;
    raw(&answers[2])?;
    match &answers[1] {
        Ok(Fetched::Gone) => Ok(()),
        Ok(_) => Err(Stop::failed("a removed mail was answered with bytes")),
        Err(error) => Err(Stop::failed(format!("a removed mail became {error}"))),
    }
}

/// A mail that cannot be fetched fails alone and may be tried again.
pub async fn failing_mail_spares_the_others(harness: &dyn SourceHarness) -> Verdict {
    let bench = Bench::open(harness, &[SourceFaultKind::FailFetch]).await?;
    bench.put(&mails(0..3)).await;
    let shown = bench.list_all(100).await?;
    let id = shown.stubs[1].provider_id.clone();
    bench.world.inject(&SourceTrouble::FailFetch { id }).await;
    let stubs: Vec<&Stub> = shown.stubs.iter().collect();
    let answers = bench.fetch(&stubs).await?;
    raw(&answers[0])?;
    raw(&answers[2])?;
    match &answers[1] {
        Ok(_) => {
            return Err(Stop::failed(
                "a mail that cannot be read was answered as if it could",
            ));
        }
        Err(error) => ensure!(
            error.reach() == Reach::Item,
            "one mail that cannot be read concerns only itself: {error}"
        ),
    }
    bench.world.lift().await;
    let answers = bench.fetch(&stubs).await?;
    raw(&answers[1])?;
    Ok(())
}

/// A fetch that is not answered ends with the deadline of the call.
pub async fn deadline_ends_the_call(harness: &dyn SourceHarness) -> Verdict {
    let bench = Bench::open(harness, &[SourceFaultKind::Stall]).await?;
    bench.put(&mails(0..2)).await;
    let shown = bench.list_all(100).await?;
    bench.world.inject(&SourceTrouble::Stall).await;
    let cx = bench.cx(Account::First)?;
    let batch = items(&shown.stubs.iter().collect::<Vec<_>>());
    let move_clock = async {
        while !bench.world.stalled().await {
            tokio::task::yield_now().await;
        }
        bench.clock.advance(cx.remaining() + Duration::from_secs(1));
    };
    let both = async { tokio::join!(bench.source.fetch(&cx, &batch), move_clock).0 };
    let answer = bench.within("fetch", both).await?;
    let read = answer.is_ok_and(|answers| answers.iter().any(Result::is_ok));
    ensure!(!read, "a fetch without answer was read");
    Ok(())
}
