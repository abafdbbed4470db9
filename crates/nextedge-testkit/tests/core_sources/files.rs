//! Folders of a `FileSource`, one for each account.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use nextedge_core::mail::FileSource;
use nextedge_core::source::{ListRequest, MailSource};
use nextedge_core::{CallContext, Connection, ConnectionId, ConnectionRole, ProviderId, TenantId};
use nextedge_testkit::source::{
    Account, RawMail, SourceFaultKind, SourceHarness, SourceTrouble, SourceWorld,
};
use serde_json::{Value, json};
use tempfile::TempDir;

#[derive(Clone, Copy)]
pub(crate) enum Harness {
    Folder,
    Maildir,
}

struct World {
    root: TempDir,
    layout: Harness,
    next: AtomicUsize,
}

#[async_trait]
impl SourceHarness for Harness {
    async fn start(&self) -> Box<dyn SourceWorld> {
        let root = TempDir::new().unwrap();
        for account in Account::ALL {
            let folder = root.path().join(format!("{account:?}"));
            for part in ["new", "cur", "tmp"] {
                let part = if matches!(self, Self::Maildir) {
                    part
                } else {
                    ""
                };
                fs::create_dir_all(folder.join(part)).unwrap();
            }
        }
        Box::new(World {
            root,
            layout: *self,
            next: AtomicUsize::default(),
        })
    }

    fn missing(&self) -> Vec<(SourceFaultKind, &'static str)> {
        vec![
            (SourceFaultKind::ExpireCursors, "files have no change feed"),
            (
                SourceFaultKind::Throttle,
                "a file system does not ask for fewer calls",
            ),
            (
                SourceFaultKind::Stall,
                "a file system cannot be held back from a test",
            ),
        ]
    }
}

impl World {
    fn box_of(&self, account: Account) -> PathBuf {
        self.root.path().join(format!("{account:?}"))
    }

    fn mails_of(&self, account: Account) -> PathBuf {
        match self.layout {
            Harness::Folder => self.box_of(account),
            Harness::Maildir => self.box_of(account).join("new"),
        }
    }

    /// Finds the file of a mail by listing each file alone.
    async fn file_of(&self, account: Account, id: &ProviderId) -> PathBuf {
        for entry in fs::read_dir(self.mails_of(account)).unwrap() {
            let path = entry.unwrap().path();
            let request = ListRequest {
                limit: 1,
                ..ListRequest::default()
            };
            let page = FileSource::default()
                .list(&cx(&path), &request)
                .await
                .unwrap();
            if page.stubs.iter().any(|stub| stub.provider_id == *id) {
                return path;
            }
        }
        panic!("no file holds the mail")
    }
}

fn cx(path: &Path) -> CallContext {
    let id = ConnectionId::new("look").unwrap();
    let connection =
        Connection::new(id, "file", ConnectionRole::Source).with_settings(json!({ "path": path }));
    let tenant = TenantId::new("look").unwrap();
    CallContext::new(tenant, Arc::new(connection), Duration::from_secs(60))
}

/// Where a file waits while a folder that cannot be read as a mail has its name.
const ASIDE: &str = "aside";

#[async_trait]
impl SourceWorld for World {
    fn source(&self) -> Arc<dyn MailSource> {
        Arc::new(FileSource::default())
    }

    fn settings(&self, account: Account) -> Value {
        json!({ "path": self.box_of(account) })
    }

    async fn put(&self, account: Account, mails: &[RawMail]) {
        for mail in mails {
            let n = self.next.fetch_add(1, Ordering::Relaxed);
            let name = format!("{n:05}.eml");
            fs::write(self.mails_of(account).join(name), &mail.raw).unwrap();
        }
    }

    async fn remove(&self, account: Account, id: &ProviderId) {
        fs::remove_file(self.file_of(account, id).await).unwrap();
    }

    async fn inject(&self, fault: &SourceTrouble) {
        let first = self.box_of(Account::First);
        match fault {
            SourceTrouble::BadAccount => fs::rename(&first, first.with_extension(ASIDE)).unwrap(),
            SourceTrouble::FailFetch { id } => {
                let file = self.file_of(Account::First, id).await;
                fs::rename(&file, self.root.path().join(ASIDE)).unwrap();
                fs::create_dir(&file).unwrap();
            }
            SourceTrouble::BrokenItem => {
                // the head of a gzip file whose rest is missing
                let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x4b];
                fs::write(self.mails_of(Account::First).join("broken.eml.gz"), head).unwrap();
            }
            SourceTrouble::ExpireCursors
            | SourceTrouble::Throttle { .. }
            | SourceTrouble::Stall => {
                unreachable!("declared missing")
            }
        }
    }

    async fn lift(&self) {
        let aside = self.root.path().join(ASIDE);
        if aside.exists() {
            let folders = fs::read_dir(self.mails_of(Account::First)).unwrap();
            let mut folders = folders.map(|entry| entry.unwrap().path());
            let folder = folders.find(|path| path.is_dir()).unwrap();
            fs::remove_dir(&folder).unwrap();
            fs::rename(aside, folder).unwrap();
        }
    }

    async fn stalled(&self) -> bool {
        false
    }
}
