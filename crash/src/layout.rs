//! Puts the mailboxes of a world on disk.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::Failure;
use crate::source::Entry;
use crate::spec::BoxSpec;
use crate::world::{BoxKind, Mail, Mailbox, Tenant};

/// Where a mailbox lies.
pub(crate) fn path(root: &Path, tenant: &Tenant, mailbox: &Mailbox) -> PathBuf {
    root.join(&tenant.name).join(&mailbox.id)
}

/// Writes all mails of a tenant; which of them have arrived is told by [`arrive`].
pub(crate) fn write(root: &Path, tenant: &Tenant) -> Result<(), Failure> {
    for mailbox in &tenant.boxes {
        let folder = path(root, tenant, mailbox);
        fs::create_dir_all(&folder)?;
        let mut index = Vec::new();
        for mail in mails(tenant, mailbox) {
            fs::write(folder.join(format!("{}.eml", mail.tag)), &mail.raw)?;
            index.push(Entry {
                id: mail.tag.clone(),
                thread: format!("t{}", mail.thread),
                at: mail.at,
            });
        }
        if mailbox.kind != BoxKind::Files {
            fs::write(folder.join("index.json"), serde_json::to_vec(&index)?)?;
            fs::write(folder.join("shown"), "")?;
        }
    }
    Ok(())
}

/// Lets `share` of 100 parts of the mail of live mailboxes have arrived.
pub(crate) fn arrive(root: &Path, tenant: &Tenant, share: usize) -> Result<(), Failure> {
    for mailbox in &tenant.boxes {
        if mailbox.kind != BoxKind::Files {
            let count = mailbox.shows.len() * share / 100;
            let file = path(root, tenant, mailbox).join("arrived");
            fs::write(file, count.to_string())?;
        }
    }
    Ok(())
}

/// What a worker is told about the mailboxes of a tenant.
pub(crate) fn specs(root: &Path, tenant: &Tenant) -> Vec<BoxSpec> {
    let boxes = tenant.boxes.iter();
    boxes
        .map(|mailbox| BoxSpec {
            id: mailbox.id.clone(),
            address: mailbox.address.clone(),
            path: path(root, tenant, mailbox),
            kind: mailbox.kind,
        })
        .collect()
}

/// The mails of a mailbox in the order of arrival.
pub(crate) fn mails<'a>(
    tenant: &'a Tenant,
    mailbox: &'a Mailbox,
) -> impl Iterator<Item = &'a Mail> {
    mailbox.shows.iter().map(|place| &tenant.mails[*place])
}

/// The id under which a mailbox shows a mail: a file source names it by its content.
pub(crate) fn id_in(mailbox: &Mailbox, mail: &Mail) -> String {
    match mailbox.kind {
        BoxKind::Files => {
            let hash = Sha256::digest(mail.raw.as_bytes());
            let half = hash[..16].iter();
            half.map(|byte| format!("{byte:02x}")).collect()
        }
        BoxKind::OldestFirst | BoxKind::NewestFirst => mail.tag.clone(),
    }
}
