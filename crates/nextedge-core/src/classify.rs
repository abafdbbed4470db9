//! What decides which category a mail has: the [`Classifier`] trait and its words.

use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::context::CallContext;
use crate::domain::{Category, Confidence, Distribution, EmailAddress, Urgency};
use crate::error::Result;

/// Puts a mail into one of five categories, with calibrated probabilities.
///
/// One value serves all tenants and is called from many tasks at once. A classifier never turns a
/// failure into [`Category::None`]: no answer is an error, and the chain asks the next one.
#[async_trait]
pub trait Classifier: fmt::Debug + Send + Sync + 'static {
    /// Returns a short constant name, such as `offline`.
    fn name(&self) -> &str;

    /// Classifies one mail.
    ///
    /// # Errors
    ///
    /// Any kind; the mail is then classified by the next of the chain, or reviewed by a person.
    async fn classify(&self, cx: &CallContext, request: &ClassifyRequest)
    -> Result<Classification>;
}

/// What a classifier may see: decoded text without quoted history, and facts about the mail.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClassifyRequest {
    /// The decoded subject.
    pub subject: String,
    /// The new text: no quotes, no hidden text; signature included.
    pub text: String,
    /// Who wrote it, after unwrapping of configured agents' forwards.
    pub sender: Option<EmailAddress>,
    /// ISO 639-1 language, if detected.
    pub language: Option<String>,
    /// Facts beside the text.
    pub signals: Signals,
}

impl ClassifyRequest {
    /// Starts a request from what every mail has.
    pub fn new(subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            text: text.into(),
            ..Self::default()
        }
    }

    /// Names the sender.
    #[must_use]
    pub fn with_sender(mut self, sender: Option<EmailAddress>) -> Self {
        self.sender = sender;
        self
    }

    /// Names the language.
    #[must_use]
    pub fn with_language(mut self, language: Option<String>) -> Self {
        self.language = language;
        self
    }

    /// Adds the facts beside the text.
    #[must_use]
    pub fn with_signals(mut self, signals: Signals) -> Self {
        self.signals = signals;
        self
    }
}

/// Facts beside the text that help to classify.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, clippy::exhaustive_structs)] // independent yes/no facts
pub struct Signals {
    /// The mail answers another one.
    pub reply: bool,
    /// Its thread has a record in the CRM, of this category.
    pub linked: Option<Category>,
    /// We already know the sender as a contact.
    pub known_party: bool,
    /// It carries list or bulk headers.
    pub bulk: bool,
    /// It has attachments.
    pub attachments: bool,
    /// It was forwarded.
    pub forwarded: bool,
}

/// A classifier's answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Classification {
    /// Calibrated probabilities of the five categories.
    pub distribution: Distribution,
    /// How much the text hurries.
    pub urgency: Urgency,
    /// Why, as parts of the text.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    /// Contact facts found in the text; values that do not occur in the mail are dropped by the engine.
    #[serde(default)]
    pub fields: Vec<ExtractedField>,
    /// Who answered, such as `offline/1` or `gemini/gemini-3.8-flash`.
    pub model: String,
    /// Whether an earlier classifier of the chain gave no answer.
    #[serde(default)]
    pub degraded: bool,
    /// A short machine-written summary: plain text without links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// What the answer cost.
    #[serde(default)]
    pub usage: Usage,
}

impl Classification {
    /// Starts an answer.
    pub fn new(model: impl Into<String>, distribution: Distribution, urgency: Urgency) -> Self {
        Self {
            distribution,
            urgency,
            evidence: Vec::new(),
            fields: Vec::new(),
            model: model.into(),
            degraded: false,
            summary: None,
            usage: Usage::default(),
        }
    }

    /// Returns the likeliest category and its probability.
    pub fn top(&self) -> (Category, Confidence) {
        self.distribution.top()
    }
}

/// A part of the text that speaks for the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct Evidence {
    /// Bytes of [`ClassifyRequest::text`], or of the subject.
    pub span: Range<usize>,
    /// Where the span points.
    pub part: TextPart,
    /// How strongly it speaks, larger is stronger.
    pub weight: f64,
}

/// Which text a span points into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // a mail has these two texts
pub enum TextPart {
    /// The subject.
    Subject,
    /// The new text.
    Text,
}

/// A contact fact found in a mail: a candidate with the place it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct ExtractedField {
    /// What it is.
    pub field: ContactField,
    /// The value as written in the mail.
    pub value: String,
    /// Where it stands in the new text; none if it comes from a header.
    pub span: Option<Range<usize>>,
    /// How sure the extraction is, 0 to 1.
    pub confidence: f64,
}

/// The contact facts that are extracted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ContactField {
    /// Full name.
    Name,
    /// Company name.
    Company,
    /// Phone number.
    Phone,
    /// Job title.
    Title,
}

/// What an answer cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct Usage {
    /// Tokens sent.
    pub input_tokens: u64,
    /// Tokens received.
    pub output_tokens: u64,
}
