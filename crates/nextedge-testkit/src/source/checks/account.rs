//! Good accounts, bad ones, and that they share nothing.

use std::time::Duration;

use nextedge_core::source::{ListRequest, Stub};
use nextedge_core::{Error, ErrorKind, Reach, Retry};

use super::super::bench::{Bench, mails, raw};
use super::super::harness::{SourceFaultKind, SourceHarness, SourceTrouble};
use crate::account::Account;
use crate::verdict::{Stop, Verdict, ensure};

/// `check` accepts a good account and refuses a bad one by kind.
pub async fn check_tells_a_bad_account(harness: &dyn SourceHarness) -> Verdict {
    let bench = Bench::open(harness, &[SourceFaultKind::BadAccount]).await?;
    let cx = bench.cx(Account::First)?;
    let checked = bench.within("check", bench.source.check(&cx)).await?;
    checked.map_err(|error| Stop::failed(format!("check refused a good account: {error}")))?;
    bench.world.inject(&SourceTrouble::BadAccount).await;
    match bench.within("check", bench.source.check(&cx)).await? {
        Ok(()) => Err(Stop::failed("check accepted a bad account")),
        Err(error) => {
            let told = matches!(
                error.kind(),
                ErrorKind::Config | ErrorKind::Unauthorized | ErrorKind::Forbidden
            );
            ensure!(told, "a bad account became {error}");
            shows_nothing(&error, &bench.world.secrets())
        }
    }
}

/// A bad account fails a listing; it is never an empty mailbox.
pub async fn bad_account_is_not_an_empty_mailbox(harness: &dyn SourceHarness) -> Verdict {
    let bench = Bench::open(harness, &[SourceFaultKind::BadAccount]).await?;
    bench.put(&mails(0..2)).await;
    bench.world.inject(&SourceTrouble::BadAccount).await;
    let request = ListRequest {
        limit: 10,
        ..ListRequest::default()
    };
    match bench.list(&request).await? {
        Ok(page) => {
            let count = page.stubs.len();
            Err(Stop::failed(format!(
                "a bad account was listed as a mailbox with {count} mails"
            )))
        }
        Err(error) => shows_nothing(&error, &bench.world.secrets()),
    }
}

/// The mailbox of one tenant or connection never shows in another's.
pub async fn mailboxes_share_nothing(harness: &dyn SourceHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    for (n, account) in Account::ALL.into_iter().enumerate() {
        bench.world.put(account, &mails(n * 10..n * 10 + 3)).await;
    }
    let request = ListRequest {
        limit: 2,
        ..ListRequest::default()
    };
    for (n, account) in Account::ALL.into_iter().enumerate() {
        let first = bench.list_of(account, &request).await?;
        let first = first.map_err(|error| Stop::failed(format!("list failed: {error}")))?;
        let rest = ListRequest {
            page: first.next.clone(),
            limit: 100,
            since: None,
        };
        let rest = bench.list_of(account, &rest).await?;
        let rest = rest.map_err(|error| Stop::failed(format!("list failed: {error}")))?;
        let stubs: Vec<&Stub> = first.stubs.iter().chain(&rest.stubs).collect();
        let own = mails(n * 10..n * 10 + 3);
        for answer in bench.fetch_of(account, &stubs).await? {
            let bytes = raw(&answer)?;
            ensure!(
                own.iter().any(|mail| mail.raw == *bytes),
                "{account:?} shows another's mail"
            );
        }
        ensure!(
            stubs.len() == 3,
            "{account:?} shows {} mails of its 3",
            stubs.len()
        );
    }
    Ok(())
}

/// A 429 becomes `RateLimited` with the vendor's delay and reaches the connection.
pub async fn throttling_is_typed(harness: &dyn SourceHarness) -> Verdict {
    let bench = Bench::open(harness, &[SourceFaultKind::Throttle]).await?;
    bench.put(&mails(0..2)).await;
    bench
        .world
        .inject(&SourceTrouble::Throttle { after: DELAY })
        .await;
    let request = ListRequest {
        limit: 10,
        ..ListRequest::default()
    };
    let Err(error) = bench.list(&request).await? else {
        return Err(Stop::failed("a throttled call was answered with a page"));
    };
    ensure!(
        error.kind() == ErrorKind::RateLimited,
        "a 429 became {error}"
    );
    ensure!(
        error.retry() == Retry::After(DELAY),
        "the vendor asked for {DELAY:?}, the error says {:?}",
        error.retry()
    );
    ensure!(
        error.reach() != Reach::Item,
        "a 429 concerns more than one mail"
    );
    shows_nothing(&error, &bench.world.secrets())
}

fn shows_nothing(error: &Error, secrets: &[String]) -> Verdict {
    let shown = format!("{error} {error:?}");
    let told = secrets.iter().any(|secret| shown.contains(secret.as_str()));
    ensure!(!told, "an error of {} shows a secret", error.operation());
    Ok(())
}

/// The delay that the vendor asks for: too long to sit out.
const DELAY: Duration = Duration::from_secs(90);
