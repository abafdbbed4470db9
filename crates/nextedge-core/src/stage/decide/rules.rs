//! Which rules of the tenant apply to a mail, and what they say.

use super::DecideInput;
use crate::domain::{Category, Domain, EmailAddress, Priority};
use crate::policy::{Action, Condition, Owner, Policy, Rule};
use crate::stage::cues::Cues;
use crate::stage::text::{Folded, first_phrase, folded};

/// The rules that apply, in the policy's order.
pub(super) struct RuleFacts<'a> {
    rules: Vec<&'a Rule>,
    policy: &'a Policy,
    text: &'a Folded,
    cues: Cues,
}

impl<'a> RuleFacts<'a> {
    /// Finds the rules that apply; `text` is the folded subject and text of the input.
    pub(super) fn of(input: &DecideInput<'a>, text: &'a Folded) -> Self {
        let facts = Facts {
            text,
            domain: input.sender.address.domain(),
        };
        let applies = |rule: &&Rule| {
            rule.when
                .iter()
                .all(|condition| facts.hold(condition, input))
        };
        Self {
            rules: input.policy.rules.iter().filter(applies).collect(),
            policy: input.policy,
            text,
            // The subject of an answer is not the sender's own: "Re: URGENT" says nothing new.
            cues: if input.mail.in_reply_to.is_empty() {
                Cues::of(text)
            } else {
                Cues::in_text(text.text())
            },
        }
    }

    /// The folded subject and text.
    pub(super) fn text(&self) -> &'a Folded {
        self.text
    }

    /// What the fixed phrases say.
    pub(super) fn cues(&self) -> Cues {
        self.cues
    }

    /// What the tenant's words propose; among several categories the first, so that no possible
    /// lead is lost.
    fn by_keyword(&self) -> Option<(Category, String)> {
        self.policy.keywords.iter().find_map(|(category, words)| {
            let word = contained(self.text.as_str(), words)?;
            Some((*category, format!("the word “{word}” proposes {category}")))
        })
    }

    /// The first rule that parks.
    pub(super) fn parking(&self) -> Option<&'a str> {
        self.with(|action| matches!(action, Action::Park).then_some(()))
            .map(|(name, ())| name)
    }

    /// The first rule that asks a person.
    pub(super) fn reviewing(&self) -> Option<&'a str> {
        self.with(|action| matches!(action, Action::Review).then_some(()))
            .map(|(name, ())| name)
    }

    /// The first rule that writes its category at any confidence.
    pub(super) fn writing(&self) -> Option<(&'a str, Category)> {
        let mut writing = self.rules.iter().filter(|rule| rule.auto_write);
        writing.find_map(|rule| Some((rule.name.as_str(), rule.category()?)))
    }

    /// What the rules, else the tenant's words, propose, with the reason in words.
    pub(super) fn proposing(&self) -> Option<(Category, String)> {
        let by_rule = self.rules.iter().find_map(|rule| {
            let category = rule.category()?;
            Some((
                category,
                format!("rule “{}” proposes {category}", rule.name),
            ))
        });
        by_rule.or_else(|| self.by_keyword())
    }

    /// The priority that a rule sets.
    pub(super) fn priority(&self) -> Option<Priority> {
        self.with(|action| match action {
            Action::SetPriority(priority) => Some(*priority),
            _ => None,
        })
        .map(|(_, priority)| priority)
    }

    /// The owner that a rule names.
    pub(super) fn owner(&self) -> Option<Owner> {
        self.with(|action| match action {
            Action::Assign(owner) => Some(owner.clone()),
            _ => None,
        })
        .map(|(_, owner)| owner)
    }

    fn with<T>(&self, wanted: impl Fn(&Action) -> Option<T>) -> Option<(&'a str, T)> {
        self.rules.iter().find_map(|rule| {
            let found = rule.then.iter().find_map(&wanted)?;
            Some((rule.name.as_str(), found))
        })
    }
}

/// The mail in the form that conditions compare.
struct Facts<'a> {
    text: &'a Folded,
    domain: Domain,
}

impl Facts<'_> {
    fn hold(&self, condition: &Condition, input: &DecideInput<'_>) -> bool {
        match condition {
            Condition::SenderDomain(domains) => domains.iter().any(|name| {
                let rest = self
                    .domain
                    .as_str()
                    .strip_suffix(name.to_lowercase().as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }),
            Condition::SenderAddress(addresses) => {
                let from = input.mail.from.as_ref().map(|from| &from.address);
                let is_sender = |address: &EmailAddress| {
                    address == &input.sender.address || Some(address) == from
                };
                addresses.iter().any(is_sender)
            }
            Condition::SubjectContains(words) => contained(self.text.subject(), words).is_some(),
            Condition::TextContains(words) => contained(self.text.text(), words).is_some(),
            Condition::Recipient(addresses) => {
                let mut recipients = input.mail.to.iter().chain(&input.mail.cc);
                recipients.any(|to| addresses.contains(&to.address))
            }
            Condition::HasAttachment(wanted) => input.mail.attachments.is_empty() != *wanted,
            Condition::Language(codes) => {
                let language = input.mail.language.as_deref().unwrap_or_default();
                codes.iter().any(|code| code.eq_ignore_ascii_case(language))
            }
            Condition::Category(categories) => input
                .classification
                .is_some_and(|answer| categories.contains(&answer.top().0)),
            Condition::Label(labels) => input.labels.iter().any(|label| {
                labels
                    .iter()
                    .any(|wanted| wanted.eq_ignore_ascii_case(label))
            }),
        }
    }
}

/// Returns the first word that a folded text contains.
fn contained<'w>(text: &str, words: &'w [String]) -> Option<&'w str> {
    let mut words = words.iter().map(String::as_str);
    words.find(|word| first_phrase(text, [folded(word).as_str()]).is_some())
}
