//! The checks for sources: each a public function over a [`SourceHarness`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use nextedge_core::source::{ChangesRequest, Fetched, ListRequest, Stub};
use nextedge_core::{Error, ErrorKind, ProviderId, Reach, Retry};

use super::bench::{Bench, arrival, items, mail, mails, raw, with_body};
use super::harness::{SourceFaultKind, SourceHarness, SourceTrouble};
use crate::account::Account;
use crate::verdict::{Stop, Verdict, ensure};

/// The pages of a listing, united, show every mail.
pub async fn pages_unite_to_the_whole(harness: &dyn SourceHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    bench.put(&mails(0..MANY)).await;
    let shown = bench.list_all(7).await?;
    let count = shown.ids().len();
    ensure!(
        count == MANY,
        "{MANY} mails are in the mailbox, the pages show {count}"
    );
    Ok(())
}

/// No page shows more than the limit, also for a limit of one.
pub async fn pages_keep_the_limit(harness: &dyn SourceHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    bench.put(&mails(0..5)).await;
    for limit in [1, 3] {
        let shown = bench.list_all(limit).await?;
        ensure!(
            shown.ids().len() == 5,
            "pages of {limit} show {} of 5 mails",
            shown.ids().len()
        );
    }
    Ok(())
}

/// An empty mailbox is an empty listing, and an empty batch an empty answer.
pub async fn empty_mailbox_is_no_error(harness: &dyn SourceHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    bench.baseline().await?;
    let shown = bench.list_all(10).await?;
    ensure!(
        shown.stubs.is_empty(),
        "an empty mailbox shows {} mails",
        shown.stubs.len()
    );
    bench.fetch(&[]).await?;
    Ok(())
}

/// A mail has the same id in every listing, also after a restart.
pub async fn ids_are_stable(harness: &dyn SourceHarness) -> Verdict {
    let mut bench = Bench::open(harness, &[]).await?;
    bench.put(&mails(0..6)).await;
    let before = ids_by_content(&bench).await?;
    bench.restart();
    bench.put(&[mail(6)]).await;
    let after = ids_by_content(&bench).await?;
    ensure!(after.len() == 7, "of 7 mails {} have ids", after.len());
    for (content, id) in &before {
        ensure!(
            after.get(content) == Some(id),
            "a mail has another id in the next listing"
        );
    }
    Ok(())
}

/// Which mail has which id.
async fn ids_by_content(bench: &Bench) -> Result<BTreeMap<Bytes, ProviderId>, Stop> {
    let shown = bench.list_all(100).await?;
    let stubs: Vec<&Stub> = shown.stubs.iter().collect();
    let mut ids = BTreeMap::new();
    for (stub, answer) in stubs.iter().zip(bench.fetch(&stubs).await?) {
        ids.insert(raw(&answer)?.clone(), stub.provider_id.clone());
    }
    Ok(ids)
}

/// A listing goes on from its page token in another process.
pub async fn page_token_survives_a_restart(harness: &dyn SourceHarness) -> Verdict {
    let mut bench = Bench::open(harness, &[]).await?;
    bench.put(&mails(0..9)).await;
    let whole = bench.list_all(100).await?;
    let request = ListRequest {
        limit: 4,
        ..ListRequest::default()
    };
    let first = bench.list(&request).await?;
    let first = first.map_err(|error| Stop::failed(format!("list failed: {error}")))?;
    let next = first.next.clone();
    let next = next.ok_or_else(|| Stop::failed("9 mails in pages of 4 need a second page"))?;
    bench.restart();
    let rest = bench.list_from(Some(next), 4).await?;
    let ids = first
        .stubs
        .iter()
        .chain(&rest.stubs)
        .map(|stub| stub.provider_id.as_str());
    let ids: BTreeSet<&str> = ids.collect();
    let all: BTreeSet<&str> = whole.ids().into_iter().collect();
    ensure!(
        ids == all,
        "after a restart the pages show {} of {} mails",
        ids.len(),
        all.len()
    );
    Ok(())
}

/// What a stub tells is true: size and time of reception.
pub async fn stubs_tell_the_truth(harness: &dyn SourceHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    let sent = mails(0..3);
    bench.put(&sent).await;
    let shown = bench.list_all(100).await?;
    let stubs: Vec<&Stub> = shown.stubs.iter().collect();
    for (stub, answer) in stubs.iter().zip(bench.fetch(&stubs).await?) {
        let bytes = raw(&answer)?;
        let size = bytes.len() as u64;
        ensure!(
            stub.bytes.is_none_or(|told| told == size),
            "a stub tells {:?} bytes of {size}",
            stub.bytes
        );
        let own = sent.iter().find(|mail| mail.raw == *bytes);
        let arrived = own.map(|mail| mail.received_at);
        ensure!(
            stub.received_at.is_none() || stub.received_at == arrived,
            "a mail received at {arrived:?} is shown as received at {:?}",
            stub.received_at
        );
    }
    Ok(())
}

/// With `since`, mail received before is left out and mail received at or after it is shown.
pub async fn since_leaves_out_older_mail(harness: &dyn SourceHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    bench.put(&mails(0..6)).await;
    let request = ListRequest {
        page: None,
        limit: 100,
        since: Some(arrival(3)),
    };
    let page = bench.list(&request).await?;
    let page = page.map_err(|error| Stop::failed(format!("list failed: {error}")))?;
    let count = page.stubs.len();
    ensure!(count == 3, "3 of 6 mails are not older, {count} are shown");
    Ok(())
}

/// Mail that arrives while a mailbox is listed is seen by the changes since the baseline that was
/// taken before, or by the next listing where there is no change feed.
pub async fn mail_during_a_listing_is_seen(harness: &dyn SourceHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    bench.put(&mails(0..6)).await;
    let baseline = bench.baseline().await?;
    let request = ListRequest {
        limit: 4,
        ..ListRequest::default()
    };
    let first = bench.list(&request).await?;
    let first = first.map_err(|error| Stop::failed(format!("list failed: {error}")))?;
    bench.put(&[mail(6)]).await;
    let mut ids: BTreeSet<String> = BTreeSet::new();
    ids.extend(first.stubs.iter().map(|stub| stub.provider_id.to_string()));
    let rest = bench.list_from(first.next, 4).await?;
    ids.extend(rest.ids().into_iter().map(str::to_owned));
    let later = match bench.capabilities.changes {
        true => bench.changes_since(&baseline, 4).await?,
        false => bench.list_all(4).await?,
    };
    ids.extend(later.ids().into_iter().map(str::to_owned));
    ensure!(
        ids.len() == 7,
        "7 mails, one of them new during the listing: {} were seen",
        ids.len()
    );
    Ok(())
}

/// The change feed shows everything that arrived after a cursor, and its last page alone gives the
/// cursor to follow from.
pub async fn changes_show_everything_since_the_cursor(harness: &dyn SourceHarness) -> Verdict {
    let mut bench = Bench::open(harness, &[]).await?;
    bench.need_changes()?;
    bench.put(&mails(0..3)).await;
    let mut cursor = bench.baseline().await?;
    for round in 1..4 {
        bench.put(&mails(round * 10..round * 10 + 5)).await;
        let shown = bench.changes_since(&cursor, 2).await?;
        let count = shown.ids().len();
        ensure!(
            count >= 5,
            "5 mails arrived since the cursor, the changes show {count}"
        );
        let stubs: Vec<&Stub> = shown.stubs.iter().collect();
        let mut subjects = BTreeSet::new();
        for answer in bench.fetch(&stubs).await? {
            subjects.insert(raw(&answer)?.clone());
        }
        let new = mails(round * 10..round * 10 + 5);
        ensure!(
            new.iter().all(|mail| subjects.contains(&mail.raw)),
            "the changes do not show every new mail"
        );
        cursor = shown.cursor.unwrap_or(cursor);
        bench.restart();
    }
    let shown = bench.changes_since(&cursor, 2).await?;
    ensure!(
        shown.stubs.is_empty(),
        "nothing arrived, the changes show {}",
        shown.stubs.len()
    );
    Ok(())
}

/// Following the same cursor again, as after a crash, shows the same mails.
pub async fn cursor_can_be_replayed(harness: &dyn SourceHarness) -> Verdict {
    let mut bench = Bench::open(harness, &[]).await?;
    bench.need_changes()?;
    let cursor = bench.baseline().await?;
    bench.put(&mails(0..5)).await;
    let first = bench.changes_since(&cursor, 3).await?;
    bench.restart();
    let second = bench.changes_since(&cursor, 3).await?;
    ensure!(
        first.ids() == second.ids() && first.ids().len() == 5,
        "one cursor showed {} mails, then {}",
        first.ids().len(),
        second.ids().len()
    );
    Ok(())
}

/// A cursor that is too old is the error `CursorExpired`, and a new baseline works.
pub async fn expired_cursor_is_typed(harness: &dyn SourceHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    bench.need_changes()?;
    let bench = Bench::open(harness, &[SourceFaultKind::ExpireCursors]).await?;
    bench.put(&mails(0..3)).await;
    let cursor = bench.baseline().await?;
    bench.world.inject(&SourceTrouble::ExpireCursors).await;
    let request = ChangesRequest {
        since: cursor,
        page: None,
        limit: 10,
    };
    match bench.changes(&request).await? {
        Ok(page) => {
            let count = page.stubs.len();
            return Err(Stop::failed(format!(
                "a cursor that is too old was answered with {count} mails"
            )));
        }
        Err(error) => ensure!(
            error.kind() == ErrorKind::CursorExpired,
            "a cursor that is too old became {error}"
        ),
    }
    let cursor = bench.baseline().await?;
    bench.put(&[mail(3)]).await;
    let shown = bench.changes_since(&cursor, 10).await?;
    ensure!(
        !shown.stubs.is_empty(),
        "a new baseline does not show what arrives after it"
    );
    Ok(())
}

/// Without the capability, `changes` is `Unsupported` and never an empty page.
pub async fn undeclared_changes_are_unsupported(harness: &dyn SourceHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    if bench.capabilities.changes {
        return Err(Stop::skipped("the source declares a change feed"));
    }
    let request = ChangesRequest {
        since: bench.baseline().await?,
        page: None,
        limit: 10,
    };
    match bench.changes(&request).await? {
        Ok(_) => Err(Stop::failed(
            "a source without change feed answered changes",
        )),
        Err(error) => {
            ensure!(
                error.kind() == ErrorKind::Unsupported,
                "changes became {error}"
            );
            Ok(())
        }
    }
}

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

/// What cannot be read while listing is reported with the page, and the rest is shown.
pub async fn broken_item_spares_the_listing(harness: &dyn SourceHarness) -> Verdict {
    let bench = Bench::open(harness, &[SourceFaultKind::BrokenItem]).await?;
    bench.put(&mails(0..4)).await;
    bench.world.inject(&SourceTrouble::BrokenItem).await;
    let shown = bench.list_all(2).await?;
    let count = shown.ids().len();
    ensure!(
        count >= 4,
        "beside a broken item {count} of 4 mails are shown"
    );
    ensure!(
        !shown.faults.is_empty(),
        "what could not be read is not reported"
    );
    Ok(())
}

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

fn shows_nothing(error: &Error, secrets: &[String]) -> Verdict {
    let shown = format!("{error} {error:?}");
    let told = secrets.iter().any(|secret| shown.contains(secret.as_str()));
    ensure!(!told, "an error of {} shows a secret", error.operation());
    Ok(())
}

/// More mails than a page of the checks holds.
const MANY: usize = 25;
/// The delay that the vendor asks for: too long to sit out.
const DELAY: Duration = Duration::from_secs(90);
