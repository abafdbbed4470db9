//! The whole mail, its files, and where it stands.

use nextedge_core::sink::RecordWrite;
use nextedge_core::{RecordKind, Slot};

use super::super::bench::{Bench, file, record_kinds, record_of, unknown};
use super::super::harness::{Fault, FaultKind, Part, SeenCrm, SinkHarness, Times};
use crate::account::Account;
use crate::verdict::{Stop, Verdict, ensure};

/// The mail stands on the timeline of its contact, its company and its record.
pub async fn activity_stands_on_all_its_records(harness: &dyn SinkHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    bench.deliver_all(&bench.mails(1)?).await?;
    let seen = bench.seen().await;
    let activity = only_activity(&seen)?;
    for record in seen.records.iter().map(|seen| &seen.record) {
        ensure!(
            activity.on.contains(record),
            "the mail does not stand on the timeline of its {}",
            record.kind
        );
    }
    Ok(())
}

/// A long mail is on the timeline whole, or attached whole as the original.
pub async fn whole_mail_is_kept(harness: &dyn SinkHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    let mut mail = bench.mail(1)?;
    let line = "Grüße aus Zürich, 東京 and 🙂; one more line of a very long mail.\n";
    mail.activity.text = line.repeat(LONG_MAIL_LINES);
    mail.activity.html = None;
    mail.activity.original = format!("Subject: Subject 1\r\n\r\n{}", mail.activity.text).into();
    let (text, original) = (mail.activity.text.clone(), mail.activity.original.clone());
    bench.deliver_all(&[mail]).await?;
    let seen = bench.seen().await;
    let activity = only_activity(&seen)?;
    if activity.text == text {
        return Ok(());
    }
    for id in &activity.files {
        let stored = seen.files.iter().find(|file| file.id == *id);
        if let Some(stored) = stored
            && bench.world.holds(Account::First, stored, &original).await
        {
            return Ok(());
        }
    }
    let (kept, all) = (activity.text.len(), text.len());
    Err(Stop::failed(format!(
        "of {all} bytes {kept} are kept, and the original is not attached"
    )))
}

/// Attachments are stored byte for byte and belong to their mail.
pub async fn attachments_arrive_byte_for_byte(harness: &dyn SinkHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    need_attachments(&bench)?;
    let mut mail = bench.mail(1)?;
    let contents = [
        (0..=255).cycle().take(70_000).collect::<Vec<u8>>(),
        b"%PDF-1.7\r\n\0\n".to_vec(),
    ];
    mail.attachments = vec![
        file("all-bytes.pdf", contents[0].clone()),
        file("small.pdf", contents[1].clone()),
    ];
    bench.deliver_all(&[mail]).await?;
    let seen = bench.seen().await;
    let activity = only_activity(&seen)?;
    ensure!(
        activity.files.len() == 2,
        "{} files belong to a mail with 2",
        activity.files.len()
    );
    for content in &contents {
        let mut held = false;
        for stored in seen
            .files
            .iter()
            .filter(|file| activity.files.contains(&file.id))
        {
            held |= bench.world.holds(Account::First, stored, content).await;
        }
        ensure!(
            held,
            "a file of {} bytes did not arrive byte for byte",
            content.len()
        );
    }
    Ok(())
}

/// A file is stored once, also when the answer was lost or the mail is delivered again.
pub async fn attachments_are_stored_once(harness: &dyn SinkHarness) -> Verdict {
    let mut bench = Bench::open(harness, &[FaultKind::LoseResponse]).await?;
    need_attachments(&bench)?;
    let mut mail = bench.mail(1)?;
    mail.attachments = vec![file("quote.pdf", b"%PDF-1.7 quote".to_vec())];
    let times = Times::UntilLifted;
    bench
        .inject(Fault::LoseResponse {
            part: Part::File,
            times,
        })
        .await;
    bench.deliver(std::slice::from_ref(&mail)).await?;
    bench.recover().await;
    bench.deliver_all(&[unknown(&mail)]).await?;
    let seen = bench.seen().await;
    ensure!(
        seen.files.len() == 1,
        "{} files instead of 1",
        seen.files.len()
    );
    let activity = only_activity(&seen)?;
    ensure!(
        activity.files.len() == 1,
        "{} files belong to a mail with 1",
        activity.files.len()
    );
    bench.one_of_each("after a lost upload").await
}

/// Each declared kind that the account has can be created, and is that kind in the far system.
pub async fn every_declared_kind_is_created(harness: &dyn SinkHarness) -> Verdict {
    let bench = Bench::open(harness, &[]).await?;
    let cx = bench.cx(Account::First)?;
    let described = bench.within("describe", bench.sink.describe(&cx)).await?;
    let described = described.map_err(|error| Stop::failed(format!("describe failed: {error}")))?;
    let has = |kind: &RecordKind| described.objects.iter().any(|object| object.kind == *kind);
    let kinds = record_kinds(&bench.capabilities);
    let kinds: Vec<RecordKind> = kinds.into_iter().filter(has).collect();
    for (n, kind) in kinds.iter().enumerate() {
        let mut mail = bench.mail(n + 1)?;
        mail.record = RecordWrite::Create {
            key: format!("nr-kind-{n}"),
            draft: bench.world.draft(kind, "Of this kind"),
        };
        let outcomes = bench.deliver_all(&[mail]).await?;
        let record = record_of(&outcomes[0], &Slot::Record)?;
        let count = bench.seen().await.of(kind).len();
        ensure!(
            record.kind == *kind && count == 1,
            "a {kind} was asked for, the effect tells of a {}, the far system has {count}",
            record.kind
        );
    }
    Ok(())
}

fn need_attachments(bench: &Bench) -> Verdict {
    match bench.capabilities.attachments {
        true => Ok(()),
        false => Err(Stop::skipped("the sink does not declare attachments")),
    }
}

fn only_activity(seen: &SeenCrm) -> Result<&super::super::harness::SeenActivity, Stop> {
    match seen.activities.as_slice() {
        [one] => Ok(one),
        all => Err(Stop::failed(format!(
            "{} activities instead of 1",
            all.len()
        ))),
    }
}

/// Lines of a mail that fits into few text fields: about 300 KiB.
const LONG_MAIL_LINES: usize = 4_000;
