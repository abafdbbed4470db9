#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::context::{Connection, ConnectionRole};
use crate::source::{PageToken, Stub};

fn cx(path: &Path) -> CallContext {
    let connection = Connection::new(
        ConnectionId::new("files").unwrap(),
        "file",
        ConnectionRole::Source,
    )
    .with_settings(json!({ "path": path.to_str().unwrap() }));
    CallContext::new(
        TenantId::new("t").unwrap(),
        Arc::new(connection),
        Duration::from_secs(60),
    )
}

/// Lists everything in pages of `limit`.
async fn list_all(source: &FileSource, path: &Path, limit: usize) -> (Vec<Stub>, Vec<String>) {
    let (mut stubs, mut faults) = (Vec::new(), Vec::new());
    let mut request = ListRequest {
        limit,
        ..ListRequest::default()
    };
    loop {
        let page = source.list(&cx(path), &request).await.unwrap();
        assert!(page.stubs.len() <= limit);
        stubs.extend(page.stubs);
        faults.extend(
            page.faults
                .into_iter()
                .map(|fault| format!("{}: {}", fault.item, fault.fault)),
        );
        request.page = page.next;
        if request.page.is_none() {
            return (stubs, faults);
        }
    }
}

async fn fetch_all(source: &FileSource, path: &Path, stubs: &[Stub]) -> Vec<String> {
    let batch: Vec<_> = stubs
        .iter()
        .map(|stub| FetchItem {
            provider_id: stub.provider_id.clone(),
            locator: stub.locator.clone(),
        })
        .collect();
    let answers = source.fetch(&cx(path), &batch).await.unwrap();
    answers
        .into_iter()
        .map(|answer| match answer.unwrap() {
            Fetched::Raw { bytes, .. } => String::from_utf8(bytes.to_vec()).unwrap(),
            Fetched::Gone => "gone".to_owned(),
        })
        .collect()
}

fn mail(number: usize) -> String {
    format!("Message-ID: <{number}@x.example>\nSubject: mail {number}\n\nbody {number}\n")
}

fn mbox(count: usize) -> String {
    (0..count)
        .map(|number| {
            format!(
                "From a@x.example Mon Nov  9 09:{:02}:00 2026\n{}\n",
                number % 60,
                mail(number)
            )
        })
        .collect()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn an_mbox_is_listed_in_pages_and_fetched_byte_by_byte() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("box");
    fs::write(&path, mbox(25)).unwrap();
    let source = FileSource::default();
    let (stubs, faults) = list_all(&source, &path, 10).await;
    assert_eq!((stubs.len(), faults.len()), (25, 0));
    let read = fetch_all(&source, &path, &stubs).await;
    assert_eq!(read, (0..25).map(mail).collect::<Vec<_>>());
    assert_eq!(
        stubs[7].received_at.unwrap().to_rfc3339(),
        "2026-11-09T09:07:00+00:00"
    );
    assert_eq!(stubs[7].thread_hint.as_deref(), Some("<7@x.example>"));
    assert_eq!(stubs[7].bytes, Some(mail(7).len() as u64));
    let mut shuffled = stubs.clone();
    shuffled.reverse();
    assert_eq!(fetch_all(&source, &path, &shuffled).await[0], mail(24));
    let again = list_all(&FileSource::default(), &path, 100).await.0;
    assert_eq!(again, stubs, "ids and places are the same in every run");
}

#[tokio::test]
async fn a_listing_goes_on_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().to_owned();
    fs::write(path.join("a.mbox"), mbox(5)).unwrap();
    fs::write(path.join("b.eml"), mail(3)).unwrap();
    fs::write(path.join("c.mbox"), mbox(4)).unwrap();
    let whole = list_all(&FileSource::default(), &path, 100).await.0;
    let mut stubs = Vec::new();
    let mut page: Option<PageToken> = None;
    loop {
        let request = ListRequest {
            limit: 2,
            page: page.take(),
            ..ListRequest::default()
        };
        let shown = FileSource::default()
            .list(&cx(&path), &request)
            .await
            .unwrap();
        stubs.extend(shown.stubs);
        page = shown.next;
        if page.is_none() {
            break;
        }
    }
    assert_eq!(stubs, whole);
    let ids: Vec<_> = whole.iter().map(|stub| stub.provider_id.as_str()).collect();
    assert!(ids[5].ends_with(".2") && ids[9].ends_with(".3"), "{ids:?}");
    assert_eq!(
        ids.iter().collect::<std::collections::HashSet<_>>().len(),
        10
    );
}

#[tokio::test]
async fn escaped_and_false_from_lines_are_told_apart() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("box");
    let body = "a\n\n>From here\n>>From there\nFrom my side ok\n\nFrom now on we wait.\nend\n";
    fs::write(&path, format!("From a Mon Nov  9 09:00:00 2026\nSubject: 1\n\n{body}\nFrom b Mon Nov  9 09:00:00 2026\nSubject: 2\n\nx\n")).unwrap();
    let source = FileSource::default();
    let (stubs, faults) = list_all(&source, &path, 10).await;
    assert!(faults.is_empty());
    let read = fetch_all(&source, &path, &stubs).await;
    let plain = body
        .replace(">From here", "From here")
        .replace(">>From", ">From");
    assert_eq!(
        read,
        [
            format!("Subject: 1\n\n{plain}"),
            "Subject: 2\n\nx\n".to_owned()
        ]
    );
}

#[tokio::test]
async fn a_from_field_with_a_space_is_no_separator_and_loses_no_mail() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("box.mbox");
    for text in [
        "text before\n\nFrom :a@b.example Mon Nov  9 09:14:00 2026\nA: b\n\nSubject: x\n",
        "From a@b.example Mon Nov  9 09:14:00 2026\nA: b\n\nx\n\nFrom : c@d.example 2026\nE: f\n\ny\n",
        "From : c@d.example\nE: f\n\ny\n",
    ] {
        fs::write(&path, text).unwrap();
        let source = FileSource::default();
        let (stubs, faults) = list_all(&source, &path, 10).await;
        let fetched = fetch_all(&source, &path, &stubs).await;
        assert!(
            !fetched.contains(&"gone".to_owned()),
            "{text:?}: {fetched:?}"
        );
        assert!(
            !stubs.is_empty() || !faults.is_empty(),
            "{text:?} vanished in silence"
        );
    }
}

#[tokio::test]
async fn broken_boxes_are_named_and_read_on() {
    let folder = TempDir::new().unwrap();
    let two = mbox(2);
    for (name, content, mails, fault) in [
        (
            "junk",
            format!("this is no mail\n\n{two}"),
            2,
            "byte 0: no mail starts here; skipped up to byte",
        ),
        (
            "date",
            format!("{two}From someone, somewhen\nSubject: x\n\ny\n"),
            3,
            "no readable date",
        ),
        (
            "headless.mbox",
            format!("\nSubject: first\n\nx\n\n{two}"),
            3,
            "byte 1: no From line before this mail",
        ),
        ("none", "just a text\n".to_owned(), 0, "no mail starts here"),
        ("empty", String::new(), 0, "is empty"),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        let (stubs, faults) = list_all(&FileSource::default(), &path, 10).await;
        assert_eq!(stubs.len(), mails, "{name}: {faults:?}");
        assert_eq!(faults.is_empty(), fault.is_empty(), "{name}: {faults:?}");
        assert!(
            faults.iter().all(|text| text.contains(fault)),
            "{name}: {faults:?}"
        );
    }
}

#[tokio::test]
async fn a_maildir_shows_new_and_cur_with_their_flags() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("Maildir");
    for sub in ["cur", "new", "tmp", ".Sent/cur", ".Sent/new"] {
        fs::create_dir_all(root.join(sub)).unwrap();
    }
    fs::write(root.join("new/1762676040.M1.host"), mail(1)).unwrap();
    fs::write(root.join("cur/1762676050.M2.host:2,DS"), mail(2)).unwrap();
    fs::write(root.join("tmp/1762676060.M3.host"), mail(3)).unwrap();
    fs::write(root.join(".Sent/cur/1762676070.M4.host:2,"), mail(4)).unwrap();
    let source = FileSource::default();
    let (stubs, faults) = list_all(&source, folder.path(), 10).await;
    assert_eq!((stubs.len(), faults.len()), (3, 0), "{faults:?}");
    let find = |number: usize| {
        let thread = format!("<{number}@x.example>");
        stubs
            .iter()
            .find(|stub| stub.thread_hint.as_deref() == Some(&thread))
            .unwrap()
    };
    assert!(find(2).draft && !find(1).draft);
    assert_eq!(find(1).received_at.unwrap().timestamp(), 1_762_676_040);
    fs::rename(
        root.join("new/1762676040.M1.host"),
        root.join("cur/1762676040.M1.host:2,S"),
    )
    .unwrap();
    assert_eq!(
        fetch_all(&source, folder.path(), &[find(1).clone()]).await,
        [mail(1)]
    );
}

#[tokio::test]
async fn a_folder_is_read_by_content() {
    let folder = TempDir::new().unwrap();
    let root = folder.path();
    fs::create_dir_all(root.join("sub/deep")).unwrap();
    fs::write(root.join("a.eml"), mail(1)).unwrap();
    fs::write(root.join("sub/Inbox"), mbox(2)).unwrap();
    fs::write(root.join("sub/deep/b.eml.gz"), gzip(mail(9).as_bytes())).unwrap();
    fs::write(
        root.join("c.gz"),
        gzip(mbox(3).replace("body", "packed").as_bytes()),
    )
    .unwrap();
    fs::write(root.join("notes.md"), "# Title\nSubject: no mail\n").unwrap();
    fs::write(root.join("data.json"), "{\"From\": 1}").unwrap();
    fs::write(root.join("broken.eml"), "\u{1}\u{2} no mail").unwrap();
    fs::write(root.join(".hidden.eml"), mail(8)).unwrap();
    let source = FileSource::default();
    let (stubs, faults) = list_all(&source, root, 2).await;
    assert_eq!(stubs.len(), 7, "{faults:?}");
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].contains("broken.eml"));
    let read = fetch_all(&source, root, &stubs).await;
    assert!(read.contains(&mail(9)) && read.contains(&mail(1)));
    assert!(read.iter().filter(|text| text.contains("packed")).count() == 3);
}

#[tokio::test]
async fn damaged_gzip_is_named_and_what_came_before_is_read() {
    let folder = TempDir::new().unwrap();
    let mut content = String::new();
    for number in 0..400 {
        let noise: String = (0..50)
            .map(|n| format!("{:x}", (number * 7919 + n * 104_729) % 65_521))
            .collect();
        content += &format!(
            "From a Mon Nov  9 09:00:00 2026\n{}{noise}\n\n",
            mail(number)
        );
    }
    let packed = gzip(content.as_bytes());
    let cut = folder.path().join("cut.gz");
    fs::write(&cut, &packed[..packed.len() / 2]).unwrap();
    let (stubs, faults) = list_all(&FileSource::default(), &cut, 1_000).await;
    assert!(stubs.len() > 50 && stubs.len() < 400, "{}", stubs.len());
    assert!(
        faults.len() == 1 && faults[0].contains("truncated") && faults[0].contains(", byte "),
        "{faults:?}"
    );
    let read = fetch_all(&FileSource::default(), &cut, &stubs).await;
    assert!(read[49].starts_with(&mail(49)));

    let bomb = folder.path().join("bomb.gz");
    let zeros = format!(
        "From a Mon Nov  9 09:00:00 2026\nSubject: x\n\n{}",
        "0".repeat(40 << 20)
    );
    fs::write(&bomb, gzip(zeros.as_bytes())).unwrap();
    let source = FileSource::new(FileOptions::default().with_gzip_ratio(50));
    let (stubs, faults) = list_all(&source, &bomb, 10).await;
    assert_eq!(stubs.len(), 0);
    assert!(faults[0].contains("gzip_ratio"), "{faults:?}");
}

#[tokio::test]
async fn rewritten_boxes_are_searched_and_lost_mail_is_gone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("box");
    fs::write(&path, mbox(3)).unwrap();
    let source = FileSource::default();
    let (stubs, _) = list_all(&source, &path, 10).await;
    let shifted = format!(
        "From z Mon Nov  9 08:00:00 2026\nSubject: new\n\nnew\n\n{}",
        mbox(2)
    );
    fs::write(&path, shifted).unwrap();
    assert_eq!(
        fetch_all(&source, &path, &stubs).await,
        [mail(0), mail(1), "gone".to_owned()]
    );
    fs::remove_file(&path).unwrap();
    assert_eq!(fetch_all(&source, &path, &stubs[..1]).await, ["gone"]);
}

#[tokio::test]
async fn oversized_mail_is_listed_and_handed_on_in_part() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("big.eml");
    fs::write(&path, format!("Subject: big\n\n{}", "x".repeat(100_000))).unwrap();
    let source = FileSource::new(FileOptions::default().with_mail_bytes(1_000));
    let (stubs, _) = list_all(&source, &path, 10).await;
    assert_eq!(stubs[0].bytes, Some(100_014));
    assert_eq!(fetch_all(&source, &path, &stubs).await[0].len(), 1_001);
}

#[tokio::test]
async fn wrong_settings_and_foreign_places_are_refused() {
    let source = FileSource::default();
    let missing = Path::new("/no/such/box");
    let error = source.check(&cx(missing)).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.context("field")),
        (ErrorKind::Config, Some("path"))
    );
    let folder = TempDir::new().unwrap();
    let secret = folder.path().join("secret.eml");
    fs::write(&secret, mail(1)).unwrap();
    fs::create_dir(folder.path().join("box")).unwrap();
    let stub = list_all(&source, &secret, 1).await.0.remove(0);
    for place in [
        stub.locator.clone().unwrap(),
        format!("mail 0 {}/box/../secret.eml", folder.path().display()),
    ] {
        let item = Stub {
            locator: Some(place),
            ..stub.clone()
        };
        assert_eq!(
            fetch_all(&source, &folder.path().join("box"), &[item]).await,
            ["gone"]
        );
    }
}

#[tokio::test]
async fn only_mail_since_a_moment_is_listed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("box");
    fs::write(&path, mbox(10)).unwrap();
    let since = chrono::DateTime::parse_from_rfc3339("2026-11-09T09:06:00Z")
        .unwrap()
        .to_utc();
    let request = ListRequest {
        limit: 100,
        since: Some(since),
        ..ListRequest::default()
    };
    let page = FileSource::default()
        .list(&cx(&path), &request)
        .await
        .unwrap();
    assert_eq!(page.stubs.len(), 4);
}

#[test]
fn from_lines_are_read_in_their_variants() {
    for (line, seconds) in [
        ("From a@b Mon Nov  9 09:14:00 2026", Some(1_794_215_640)),
        ("From - Mon Nov 09 09:14:00 2026\r\n", Some(1_794_215_640)),
        (
            "From 17@xxx Mon Nov 09 09:14:00 +0000 2026",
            Some(1_794_215_640),
        ),
        (
            "From a@b Mon Nov  9 10:14:00 2026 +0100",
            Some(1_794_215_640),
        ),
        ("From a@b Mon Nov  9 09:14 2026", Some(1_794_215_640)),
        ("From here on", None),
        ("From a Mon Foo 9 09:14:00 2026", None),
    ] {
        let date = mbox::from_date(line.as_bytes()).map(|date| date.timestamp());
        assert_eq!(date, seconds, "{line}");
    }
}
