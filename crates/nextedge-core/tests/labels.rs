//! Labels of files on their way to the privacy filter and the rules.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nextedge_core::engine::{Engine, EngineOptions};
use nextedge_core::mail::FileSource;
use nextedge_core::memory::MemoryStore;
use nextedge_core::policy::Policy;
use nextedge_core::source::Origin;
use nextedge_core::store::{LedgerQuery, LedgerRow, Mailbox, Store};
use nextedge_core::*;
use serde_json::json;

use support::{WordClassifier, tenant};

const POLICY: &str = r#"
[screen]
private_labels = ["Personal"]

[[rules]]
name = "spam folder"
when = [{ label = ["Junk/Later"] }]
then = ["park"]
"#;

fn mail(id: &str, exported: &str, own: &str) -> String {
    format!(
        "{exported}Received: from mx by mx; Mon, 9 Nov 2026 09:14:00 +0000\n{own}From: Ann <ann@acme.example>\n\
         To: desk@us.example\nSubject: a case {id}\nDate: Mon, 9 Nov 2026 09:14:00 +0000\n\
         Message-ID: <{id}@acme.example>\n\nHello {id}, please help.\n"
    )
}

/// Reads a path through the engine.
async fn read(path: &Path) -> Vec<LedgerRow> {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let engine = Engine::builder()
        .shared_store(store.clone())
        .source(FileSource::default())
        .classifier(WordClassifier)
        .options(EngineOptions::default())
        .build()
        .unwrap();
    let policy = Policy::from_toml(POLICY).unwrap();
    engine.put_policy(&tenant(), policy).await.unwrap();
    let id = ConnectionId::new("in").unwrap();
    let connection = Connection::new(id.clone(), "file", ConnectionRole::Source)
        .with_settings(json!({ "path": path }));
    engine.connect_source(&tenant(), connection).await.unwrap();
    let mailbox = Mailbox {
        origin: Origin::File,
        address: Some(EmailAddress::parse("desk@us.example").unwrap()),
        ..Mailbox::new(MailboxId::new("me").unwrap(), id)
    };
    engine.add_mailbox(&tenant(), mailbox).await.unwrap();
    let never = std::future::pending();
    engine
        .drain(Duration::from_millis(100), never)
        .await
        .unwrap();
    store
        .messages(&tenant(), &LedgerQuery::default())
        .await
        .unwrap()
}

/// What became of the one mail with exactly these labels.
fn reason(rows: &[LedgerRow], labels: &[&str]) -> String {
    let mut fitting = rows.iter().filter(|row| row.labels[..] == *labels);
    let row = fitting
        .next()
        .unwrap_or_else(|| panic!("no mail with {labels:?}: {rows:#?}"));
    assert!(fitting.next().is_none());
    row.outcome.reason()
}

#[tokio::test]
async fn labels_of_an_exported_mbox_reach_the_privacy_filter_and_the_rules() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("takeout.mbox");
    let takeout = |labels: &str| format!("X-GM-THRID: 17\nX-Gmail-Labels: {labels}\n");
    let mails = [
        mail("1", &takeout("Inbox,personal"), ""),
        mail(
            "2",
            &takeout("\"Sales, EU\",=?UTF-8?Q?Gr=C3=BC=C3=9Fe?="),
            "",
        ),
        mail("3", "X-Folder: Junk/Later\n", ""),
        // what a correspondent writes stands below the fields of our own server
        mail("4", "", "X-Gmail-Labels: Personal\nX-Folder: Personal\n"),
    ];
    let line = "From a@b Mon Nov  9 09:14:00 2026\n";
    let text: Vec<String> = mails.iter().map(|mail| format!("{line}{mail}\n")).collect();
    fs::write(&path, text.concat()).unwrap();
    let rows = read(&path).await;
    let private = reason(&rows, &["Inbox", "personal"]);
    assert!(private.contains("filtered"), "{private}");
    let plain = reason(&rows, &["Sales, EU", "Grüße"]);
    assert_ne!(reason(&rows, &["Junk/Later"]), plain, "a rule parked it");
    assert_eq!(reason(&rows, &[]), plain);
    assert_eq!(rows.len(), 4);
}

#[tokio::test]
async fn a_maildir_folder_and_its_flags_are_labels() {
    let folder = tempfile::tempdir().unwrap();
    for place in [
        "Boxes/Mail",
        "Boxes/Mail/.Junk.Later",
        "Boxes/Personal",
        "Boxes/Work",
    ] {
        for sub in ["cur", "new", "tmp"] {
            fs::create_dir_all(folder.path().join(place).join(sub)).unwrap();
        }
    }
    let put = |place: &str, name: &str, id: &str| {
        let path = folder.path().join("Boxes").join(place).join(name);
        fs::write(path, mail(id, "X-Folder: Personal\n", "")).unwrap();
    };
    put("Mail/.Junk.Later", "cur/1762676040.M1P2.host:2,FS", "1");
    put("Personal", "new/1762676041.M1P2.host", "2");
    put("Work", "cur/1762676042.M1P2.host:2,", "3");
    let rows = read(&folder.path().join("Boxes")).await;
    let private = reason(&rows, &["Personal"]);
    assert!(private.contains("filtered"), "{private}");
    // a file of its own has no exporter above its fields
    let plain = reason(&rows, &["Work"]);
    assert_ne!(reason(&rows, &["Junk/Later", "Flagged", "Seen"]), plain);
    assert_eq!(rows.len(), 3);
}
