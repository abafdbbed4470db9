//! The CRM against the truth: one record, one activity, one contact, one file, in order.

use std::collections::{BTreeMap, BTreeSet};

use nextedge_sandbox::Sandbox;
use serde_json::Value;

use crate::spec::TenantPicture;
use crate::world::{Kind, Mail, Tenant};

/// Compares an account with what its tenant was sent.
pub(crate) fn check(
    tenant: &Tenant,
    others: &[&str],
    sandbox: &Sandbox,
    picture: &TenantPicture,
    kills: usize,
) -> Vec<String> {
    let mut faults = Vec::new();
    let state = sandbox.state();
    let account = Account {
        tenant,
        state: &state["hubspot"],
    };
    let mails = account.mails(&mut faults);
    account.parties(&mut faults);
    account.records(&mails, &mut faults);
    account.files(&mails, &mut faults);
    account.order(&mails, &mut faults);
    let text = state.to_string();
    for other in others.iter().filter(|other| text.contains(**other)) {
        faults.push(format!("the account holds something of {other}"));
    }
    audit(sandbox, picture, kills, &mut faults);
    let name = &tenant.name;
    faults
        .iter()
        .map(|fault| format!("{name}: {fault}"))
        .collect()
}

struct Account<'a> {
    tenant: &'a Tenant,
    state: &'a Value,
}

/// The activity of each written mail.
type Mails<'a> = Vec<(&'a Mail, &'a Value)>;

impl<'a> Account<'a> {
    fn list(&self, object: &str) -> &'a [Value] {
        self.state[object].as_array().map_or(&[], Vec::as_slice)
    }

    fn values(&self, object: &str, property: &str) -> Vec<String> {
        let records = self.list(object).iter();
        let text = |one: &Value| text(&one["properties"][property]).to_owned();
        let mut values: Vec<String> = records.map(text).collect();
        values.sort();
        values
    }

    /// Every written mail has one activity, and there are no others.
    fn mails(&self, faults: &mut Vec<String>) -> Mails<'a> {
        let emails = self.list("emails");
        let mut mails = Vec::new();
        for mail in self.tenant.written() {
            let has = |one: &&Value| text(&one["properties"]["hs_email_text"]).contains(&mail.tag);
            let found: Vec<&Value> = emails.iter().filter(has).collect();
            match found.as_slice() {
                [one] => mails.push((mail, *one)),
                more => faults.push(format!("{} has {} activities", mail.tag, more.len())),
            }
        }
        if emails.len() != self.tenant.written().count() {
            let (is, should) = (emails.len(), self.tenant.written().count());
            faults.push(format!("{is} activities for {should} mails"));
        }
        mails
    }

    /// One contact for each address, one company for each domain that is not free mail.
    fn parties(&self, faults: &mut Vec<String>) {
        let threads = self.tenant.written().map(|mail| self.thread(mail));
        let senders: BTreeSet<&str> = threads.map(|thread| thread.sender.as_str()).collect();
        let domains = senders.iter().filter_map(|one| one.split('@').next_back());
        let domains: BTreeSet<&str> = domains.filter(|one| *one != "gmail.com").collect();
        for (object, property, wanted) in [
            ("contacts", "email", senders),
            ("companies", "domain", domains),
        ] {
            let is = self.values(object, property);
            if !is.iter().map(String::as_str).eq(wanted.iter().copied()) {
                faults.push(format!("{object} are {is:?} instead of {wanted:?}"));
            }
        }
    }

    /// One record for each thread; threads of one new sender share a lead.
    fn records(&self, mails: &Mails<'_>, faults: &mut Vec<String>) {
        let mut of: BTreeMap<(Kind, String), BTreeSet<String>> = BTreeMap::new();
        for (mail, email) in mails {
            let thread = self.thread(mail);
            let contacts = linked(email, "contacts");
            if contacts.len() != 1 {
                faults.push(format!("{} is linked to {contacts:?}", mail.tag));
            }
            let mut records: Vec<String> = Vec::new();
            for object in ["leads", "deals", "tickets"] {
                let ids = linked(email, object).into_iter();
                records.extend(ids.map(|id| format!("{object} {id}")));
            }
            let Some(object) = object_of(thread.kind) else {
                if !records.is_empty() {
                    faults.push(format!(
                        "{} of {:?} is on {records:?}",
                        mail.tag, thread.kind
                    ));
                }
                continue;
            };
            if records.len() != 1 || !records[0].starts_with(object) {
                faults.push(format!(
                    "{} of {:?} is on {records:?}",
                    mail.tag, thread.kind
                ));
            }
            let shared = match thread.kind {
                Kind::Lead => thread.sender.clone(),
                _ => mail.thread.to_string(),
            };
            of.entry((thread.kind, shared)).or_default().extend(records);
        }
        for ((kind, whose), records) in &of {
            if records.len() != 1 {
                faults.push(format!("{kind:?} of {whose} has the records {records:?}"));
            }
        }
        for (kind, object) in OBJECTS {
            let should = of.keys().filter(|(one, _)| *one == kind).count();
            let is = self.list(object).len();
            if is != should {
                faults.push(format!("{is} {object} instead of {should}"));
            }
        }
    }

    /// Each content is one file, and hangs once on each mail that brought it.
    fn files(&self, mails: &Mails<'_>, faults: &mut Vec<String>) {
        let mut wanted = BTreeSet::new();
        for (mail, email) in mails {
            wanted.extend(mail.files.iter().cloned());
            let ids = text(&email["properties"]["hs_attachment_ids"]);
            let ids: Vec<&str> = ids.split(';').filter(|id| !id.is_empty()).collect();
            let mut names: Vec<String> = ids.iter().map(|id| self.file_name(id)).collect();
            names.sort();
            if names != mail.files {
                let (tag, should) = (&mail.tag, &mail.files);
                faults.push(format!(
                    "{tag} has the files {names:?} instead of {should:?}"
                ));
            }
        }
        let is = self.list("files").len();
        if is != wanted.len() {
            faults.push(format!("{is} files instead of {}", wanted.len()));
        }
    }

    fn file_name(&self, id: &str) -> String {
        let file = self.list("files").iter().find(|file| file["id"] == id);
        let name = file.map_or("", |file| text(&file["properties"]["name"]));
        name.trim_end_matches(".pdf").to_owned()
    }

    /// The activities of a thread were made in the order its mails were received.
    fn order(&self, mails: &Mails<'_>, faults: &mut Vec<String>) {
        let mut last: BTreeMap<usize, u64> = BTreeMap::new();
        for (mail, email) in mails {
            let id = text(&email["id"]).parse().unwrap_or(0);
            let before = last.insert(mail.thread, id);
            if self.thread(mail).ordered && before.is_some_and(|before| before >= id) {
                faults.push(format!("{} was applied before an earlier mail", mail.tag));
            }
        }
    }

    fn thread(&self, mail: &Mail) -> &'a crate::world::Thread {
        &self.tenant.threads[mail.thread]
    }
}

/// Writing calls without an audit row are told as an interrupted attempt, and only those.
fn audit(sandbox: &Sandbox, picture: &TenantPicture, kills: usize, faults: &mut Vec<String>) {
    let journal = sandbox.journal();
    let writes = journal.iter().filter(|one| is_record_write(one)).count();
    let missing = writes.saturating_sub(picture.audited_writes);
    if missing > 0 && picture.interrupted == 0 {
        faults.push(format!("{missing} writing calls have no audit row"));
    }
    if picture.interrupted > 0 && kills == 0 {
        faults.push("an attempt is called interrupted, but nothing was killed".to_owned());
    }
}

/// Whether a request of the journal changes records; reads also travel as POST.
fn is_record_write(entry: &Value) -> bool {
    let path = text(&entry["path"]);
    let reads = path.ends_with("/batch/read") || path.ends_with("/search");
    entry["method"] != "GET" && !reads && !path.contains("/properties/")
}

fn linked(record: &Value, object: &str) -> BTreeSet<String> {
    let all = record["associations"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let of = all.iter().filter(|one| one["to_type"] == object);
    of.map(|one| text(&one["to_id"]).to_owned()).collect()
}

fn object_of(kind: Kind) -> Option<&'static str> {
    let found = OBJECTS.iter().find(|(one, _)| *one == kind);
    found.map(|(_, object)| *object)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

const OBJECTS: [(Kind, &str); 3] = [
    (Kind::Lead, "leads"),
    (Kind::Opportunity, "deals"),
    (Kind::Case, "tickets"),
];
