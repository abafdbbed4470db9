//! Business rules: conditions on a mail, and what then happens. No expressions, nothing to attack.

use serde::{Deserialize, Serialize};

use super::assign::Owner;
use crate::domain::{Category, EmailAddress, Priority};

/// A named rule of the tenant; it applies if every condition holds.
///
/// ```toml
/// [[rules]]
/// name = "web form"
/// when = [{ sender_domain = ["webforms.example"] }, { subject_contains = ["enquiry"] }]
/// then = [{ set_category = "Lead" }]
/// auto_write = true
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::exhaustive_structs)] // configuration is built literally
pub struct Rule {
    /// Its name, shown in reasons.
    pub name: String,
    /// The conditions; all must hold, and there must be at least one.
    pub when: Vec<Condition>,
    /// What happens; for each kind of action the first rule that has it wins.
    pub then: Vec<Action>,
    /// Lets the rule's category be written at any confidence; no by default.
    #[serde(default)]
    pub auto_write: bool,
}

impl Rule {
    /// Returns the category this rule sets.
    pub fn category(&self) -> Option<Category> {
        self.then.iter().find_map(|action| match action {
            Action::SetCategory(category) => Some(*category),
            _ => None,
        })
    }
}

/// One condition; of a list, one entry must fit. Texts compare without case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Condition {
    /// The sender's domain is one of these or below one of them.
    SenderDomain(Vec<String>),
    /// The sender's address is one of these.
    SenderAddress(Vec<EmailAddress>),
    /// The subject contains one of these words.
    SubjectContains(Vec<String>),
    /// The first 16 KiB of the new text contain one of these words.
    TextContains(Vec<String>),
    /// One of these addresses is among To and Cc.
    Recipient(Vec<EmailAddress>),
    /// The mail has at least one attachment (`true`) or none (`false`).
    HasAttachment(bool),
    /// The language of the text is one of these ISO 639-1 codes.
    Language(Vec<String>),
    /// The classifier's likeliest category is one of these.
    Category(Vec<Category>),
    /// The source put one of these labels or folders on the mail.
    Label(Vec<String>),
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// Proposes this category below the review floor; with `auto_write`, at any confidence.
    SetCategory(Category),
    /// Asks a person, whatever the confidence.
    Review,
    /// Keeps the mail out of the CRM.
    Park,
    /// Sets the priority.
    SetPriority(Priority),
    /// Gives a new record to this owner.
    Assign(Owner),
}
