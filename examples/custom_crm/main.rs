//! A third-party sink at work: a few mails become records of Tansy, an invented small CRM.
//!
//! `cargo run --bin custom_crm`; docs/guide/connector.md walks through `sink.rs`.

use std::error::Error;
use std::time::Duration;

use nextedge_ai::OfflineClassifier;
use nextedge_core::engine::Engine;
use nextedge_core::mail::{MemoryMail, MemorySource};
use nextedge_core::memory::MemoryStore;
use nextedge_core::source::Origin;
use nextedge_core::store::Mailbox;
use nextedge_core::{
    Connection, ConnectionId, ConnectionRole, EmailAddress, MailboxId, ProviderId, Secret,
    TenantId, Timestamp,
};
use nextedge_http::{ApiClient, StaticToken};

use nextedge_examples::custom_crm::crm::Tansy;
use nextedge_examples::custom_crm::sink::TansySink;

const TOKEN: &str = "tansy-token";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let tansy = Tansy::start(&[TOKEN]).await?;
    let client = ApiClient::builder()
        .base_url(tansy.url())
        .tokens(StaticToken::new(Secret::new(TOKEN)));
    let engine = Engine::builder()
        .store(MemoryStore::new())
        .source(mails()?)
        .sink(TansySink::new(client)?)
        .classifier(OfflineClassifier::embedded()?)
        .build()?;

    let tenant = TenantId::new("acme")?;
    let crm = Connection::new(ConnectionId::new("crm")?, "tansy", ConnectionRole::Sink);
    engine.connect_sink(&tenant, crm, None).await?;
    let mail = Connection::new(ConnectionId::new("mail")?, "memory", ConnectionRole::Source);
    let mail = engine.connect_source(&tenant, mail).await?;
    let mut mailbox = Mailbox::new(MailboxId::new("desk")?, mail.id);
    mailbox.origin = Origin::File;
    mailbox.address = Some(EmailAddress::parse("desk@us.example")?);
    engine.add_mailbox(&tenant, mailbox).await?;

    engine
        .drain(Duration::from_millis(300), std::future::pending())
        .await?;
    show(&tansy);
    Ok(())
}

/// Two senders: a case with a reply, and an order.
fn mails() -> Result<MemorySource, Box<dyn Error>> {
    let source = MemorySource::finite();
    let mails = [
        (
            "1",
            "Ann Lee <ann@acme.example>",
            "Press does not start, error E14",
            "",
            "Since this morning the press does not start and shows error E14. Please send a technician.",
        ),
        (
            "2",
            "Ann Lee <ann@acme.example>",
            "Re: Press does not start, error E14",
            "1",
            "The error is still there. Please send somebody today, production is down.",
        ),
        (
            "3",
            "Paolo Rossi <paolo@rossi.example>",
            "Purchase order 4711",
            "",
            "Please find our purchase order for your quote. We place the order today, please send the contract.",
        ),
    ];
    for (id, from, subject, answers, text) in mails {
        let references = match answers {
            "" => String::new(),
            first => format!(
                "In-Reply-To: <{first}@mail.example>\r\nReferences: <{first}@mail.example>\r\n"
            ),
        };
        let raw = format!(
            "From: {from}\r\nTo: desk@us.example\r\nSubject: {subject}\r\n{references}\
             Date: Mon, 2 Nov 2026 1{id}:00:00 +0100\r\nMessage-ID: <{id}@mail.example>\r\n\r\n{text}\r\n"
        );
        let received: Timestamp = format!("2026-11-02T1{id}:00:00Z").parse()?;
        let mail = MemoryMail::new(ProviderId::new(id)?, raw.into_bytes());
        source.push("", mail.received_at(received));
    }
    Ok(source)
}

#[allow(clippy::print_stdout)] // the result of the program
fn show(tansy: &Tansy) {
    let things = tansy.things(TOKEN);
    for thing in &things {
        let text = |name: &str| thing.fields[name]["text"].as_str().unwrap_or_default();
        let label = match thing.kind.as_str() {
            "activity" => thing.fields["subject"].as_str().unwrap_or_default(),
            "contact" | "company" => text("name"),
            _ => text("title"),
        };
        let on = thing.fields["on"].as_array().into_iter().flatten();
        let on: Vec<&str> = on.filter_map(|id| id.as_str()).collect();
        println!(
            "{:<14} {label}{}",
            thing.id,
            match on.is_empty() {
                true => String::new(),
                false => format!("  (on {})", on.join(", ")),
            }
        );
    }
    println!(
        "{} things in Tansy after {} calls",
        things.len(),
        tansy.calls()
    );
}
