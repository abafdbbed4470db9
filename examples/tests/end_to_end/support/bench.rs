//! A CRM, a database and a folder of mails under one policy.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use super::{Crm, Run, try_triage, write_mails};

/// Everything one test needs, gone with it.
pub(crate) struct Bench {
    pub(crate) crm: Crm,
    folder: TempDir,
}

impl Bench {
    /// Mails in a folder, under a policy in TOML.
    pub(crate) fn of(mails: &[String], policy: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_mails(&folder.path().join("inbox"), mails);
        fs::write(folder.path().join("policy.toml"), policy).unwrap();
        let crm = Crm::start();
        Self { crm, folder }
    }

    /// A file or folder of this bench.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Reads the mails and writes to the CRM.
    pub(crate) fn run(&self, more: &[&str]) -> Run {
        Run::of(&self.try_run(more))
    }

    pub(crate) fn try_run(&self, more: &[&str]) -> Output {
        let args = self.args();
        try_triage(args.iter().map(String::as_str).chain(more.iter().copied()))
    }

    /// Starts the program and lets it run; the caller ends it.
    pub(crate) fn start(&self) -> Child {
        Command::new(env!("CARGO_BIN_EXE_triage"))
            .args(self.args())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn args(&self) -> [String; 8] {
        let (inbox, policy, db) = (
            self.text("inbox"),
            self.text("policy.toml"),
            self.text("db"),
        );
        let flag = |name: &str| name.to_owned();
        [
            inbox,
            flag("--policy"),
            policy,
            flag("--db"),
            db,
            flag("--sandbox"),
            self.crm.url(),
            flag("--json"),
        ]
    }

    /// Goes on with what the database holds; reads no mail.
    pub(crate) fn resume(&self, more: &[&str]) -> Run {
        let (db, url) = (self.text("db"), self.crm.url());
        let args = ["--resume", "--db", &db, "--sandbox", &url, "--json"];
        Run::of(&try_triage(args.iter().chain(more)))
    }

    /// `triage review` or `triage audit` on the database.
    pub(crate) fn command(&self, words: &[&str]) -> Output {
        let db = self.text("db");
        try_triage(words.iter().copied().chain(["--db", &db]))
    }

    /// What a command prints; it must succeed.
    pub(crate) fn says(&self, words: &[&str]) -> String {
        let output = self.command(words);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }
}
