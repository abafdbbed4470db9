//! Renders an intent into the plan for one sink, by the sink's field map.

mod attachments;
mod compile;
mod description;
mod name;
mod template;
mod values;

use std::borrow::Cow;
use std::collections::BTreeMap;

pub use self::compile::CompiledMap;
use self::compile::{CompiledCategory, CompiledKnownParty, Fields};
pub use self::name::{PersonName, split_name};
pub(crate) use self::template::constant;
use self::values::{Scope, Values};
use super::decide::Intent;
use crate::clock::Timestamp;
use crate::domain::{
    ActivityDraft, Alternative, Basis, ConnectionId, Direction, Draft, EmailAddress, FieldName,
    FieldValue, MessageUid, Plan, RecordKind, ReviewReason, ThreadId, Timing, When, Write,
};
use crate::error::Result;
use crate::mail::Mail;
use crate::policy::{KnownPartyPolicy, Policy};
use crate::stage::text::cut;

/// What mapping must know beside the intent.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs)] // built by the engine and by tests
pub struct PlanContext<'a> {
    /// The sink connection.
    pub connection: &'a ConnectionId,
    /// The message.
    pub message: MessageUid,
    /// Its thread.
    pub thread: ThreadId,
    /// The mail.
    pub mail: &'a Mail,
    /// The mailbox's own address, if it is known.
    pub mailbox: Option<&'a EmailAddress>,
    /// When the mail was received.
    pub received_at: Timestamp,
    /// The tenant's policy.
    pub policy: &'a Policy,
    /// What the plan is made from.
    pub basis: Basis,
}

/// Renders the plan for one sink; none if the sink's map creates nothing for the category.
///
/// # Errors
///
/// Kind `Config` naming the `field` whose template ran out of fuel or grew too long.
pub fn plan(intent: &Intent, map: &CompiledMap, cx: &PlanContext<'_>) -> Result<Option<Plan>> {
    let category = map.category(intent.category);
    if category.is_none() && !intent.joins {
        return Ok(None);
    }
    let values = Values::new(intent, map, cx);
    let mut render = Renderer {
        map,
        values: &values,
        scope: Scope::Create,
        notes: Vec::new(),
    };
    let mut contact = render.fields(&RecordKind::Contact, &map.contact)?;
    if let Some(category) = category {
        contact.extend(render.fields(&RecordKind::Contact, &category.contact)?);
    }
    let contact = render.draft(RecordKind::Contact, contact);
    let company = company(&mut render, map)?;
    let alternatives = alternatives(intent, category, cx, &mut render)?;
    let activity = activity(
        intent,
        cx,
        render.fields(&RecordKind::Activity, &map.activity)?,
    );
    let (attachments, refused) = attachments::choose(&cx.mail.attachments, &cx.policy.attachments);
    let mut notes = render.notes;
    notes.extend(refused);
    Ok(Some(Plan {
        connection: cx.connection.clone(),
        message: cx.message,
        thread: cx.thread,
        category: intent.category,
        confidence: intent.confidence,
        urgency: intent.urgency,
        priority: intent.priority,
        reason: intent.reason.clone(),
        sender: intent.sender.clone(),
        contact,
        company,
        alternatives,
        activity,
        attachments,
        owner: intent.owner.as_ref().map(|owner| owner.as_str().to_owned()),
        accepted: Vec::new(),
        notes,
        timing: Timing::InOrder,
        basis: cx.basis.clone(),
    }))
}

fn company(render: &mut Renderer<'_>, map: &CompiledMap) -> Result<Option<Draft>> {
    if render.values.is_free_mail() || map.company.is_empty() {
        return Ok(None);
    }
    let fields = render.fields(&RecordKind::Company, &map.company)?;
    Ok(Some(render.draft(RecordKind::Company, fields)))
}

fn alternatives(
    intent: &Intent,
    category: Option<&CompiledCategory>,
    cx: &PlanContext<'_>,
    render: &mut Renderer<'_>,
) -> Result<Vec<Alternative>> {
    let on_reply = match category {
        Some(category) if intent.direction == Direction::Incoming => {
            render.scope = Scope::Reply;
            let fields = render.fields(&category.kind, &category.on_reply)?;
            render.scope = Scope::Create;
            fields
        }
        _ => BTreeMap::new(),
    };
    let mut all = vec![Alternative {
        when: When::ThreadLinked,
        write: Write::Join { fields: on_reply },
    }];
    let Some(category) = category.filter(|_| intent.direction == Direction::Incoming) else {
        return Ok(all);
    };
    all.push(Alternative {
        when: When::PartyKnown,
        write: known_party(category, cx.policy.threads.known_party, render)?,
    });
    all.push(Alternative {
        when: When::PartyUnknown,
        write: create(category, render)?,
    });
    Ok(all)
}

fn known_party(
    category: &CompiledCategory,
    policy: KnownPartyPolicy,
    render: &mut Renderer<'_>,
) -> Result<Write> {
    match (policy, &category.known_party) {
        (KnownPartyPolicy::Review, _)
        | (KnownPartyPolicy::FieldMap, CompiledKnownParty::Review) => {
            Ok(Write::Review(ReviewReason::KnownParty))
        }
        (KnownPartyPolicy::ActivityOnly, _)
        | (KnownPartyPolicy::FieldMap, CompiledKnownParty::ActivityOnly) => Ok(Write::ContactOnly),
        (KnownPartyPolicy::FieldMap, CompiledKnownParty::Instead(other)) => create(other, render),
        (KnownPartyPolicy::Same, _) | (KnownPartyPolicy::FieldMap, CompiledKnownParty::Same) => {
            create(category, render)
        }
    }
}

fn create(category: &CompiledCategory, render: &mut Renderer<'_>) -> Result<Write> {
    if category.kind == RecordKind::Contact {
        return Ok(Write::ContactOnly);
    }
    let fields = render.fields(&category.kind, &category.fields)?;
    Ok(Write::Create(render.draft(category.kind.clone(), fields)))
}

fn activity(
    intent: &Intent,
    cx: &PlanContext<'_>,
    fields: BTreeMap<FieldName, FieldValue>,
) -> ActivityDraft {
    let mail = cx.mail;
    let html = mail.body.html.as_ref().map_or(0, String::len);
    ActivityDraft {
        direction: intent.direction,
        sent_at: mail.date.map_or(cx.received_at, |date| date.at),
        utc_offset_minutes: mail.date.map_or(0, |date| date.utc_offset_minutes),
        subject: mail.subject.clone(),
        message_id: mail.message_id.clone(),
        from: mail.from.clone().unwrap_or_else(|| intent.sender.clone()),
        to: mail.to.clone(),
        cc: mail.cc.clone(),
        fields,
        bytes: (mail.body.text.len() + html) as u64,
    }
}

/// Leaves out control characters, which CRMs refuse or show as garbage; line breaks stay.
fn printable(text: &str) -> Cow<'_, str> {
    // 0xC2 begins the control characters beyond ASCII, among others.
    let maybe = |byte: &u8| {
        *byte < b'\t' || (13 < *byte && *byte < b' ') || matches!(*byte, 11 | 12 | 0x7f | 0xc2)
    };
    let bad = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if !text.as_bytes().iter().any(maybe) || !text.contains(bad) {
        return Cow::Borrowed(text);
    }
    let kept: String = text.chars().filter(|c| !bad(*c)).collect();
    Cow::Owned(kept.trim().to_owned())
}

/// Renders fields with the lengths of the map; cuts are noted.
struct Renderer<'a> {
    map: &'a CompiledMap,
    values: &'a Values<'a>,
    scope: Scope,
    notes: Vec<String>,
}

impl Renderer<'_> {
    fn fields(
        &mut self,
        kind: &RecordKind,
        fields: &Fields,
    ) -> Result<BTreeMap<FieldName, FieldValue>> {
        let mut rendered = BTreeMap::new();
        for field in fields {
            let text = self.map.render(field, self.values, self.scope)?;
            let text = printable(text.trim());
            let kept = match self.map.length(kind, &field.name) {
                Some(max) => self.cut(&text, max, kind, &field.name).trim_end(),
                None => &text,
            };
            if !kept.is_empty() {
                rendered.insert(field.name.clone(), FieldValue::Text(kept.to_owned()));
            }
        }
        Ok(rendered)
    }

    fn cut<'t>(
        &mut self,
        text: &'t str,
        max: usize,
        kind: &RecordKind,
        name: &FieldName,
    ) -> &'t str {
        let kept = if text.len() <= max {
            text
        } else {
            cut(text, max)
        };
        if kept.len() < text.len() {
            let note = format!("{kind}.{name} cut at {max} characters");
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        kept
    }

    /// Makes a draft with the cuts of its own fields.
    fn draft(&mut self, kind: RecordKind, fields: BTreeMap<FieldName, FieldValue>) -> Draft {
        let start = format!("{kind}.");
        let own = self.notes.iter().filter(|note| note.starts_with(&start));
        Draft {
            notes: own.cloned().collect(),
            fields,
            kind,
        }
    }
}
