//! The tenant's policy as a whole.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::assign::Assignment;
use super::hours::PriorityPolicy;
use super::import;
use super::rule::Rule;
use super::score::ScorePolicy;
use super::screen::{AuthenticityPolicy, ScreenPolicy};
use super::validate::validate;
use crate::domain::{Category, Confidence};
use crate::error::Result;

/// What a tenant wants; the default is safe for a new tenant.
///
/// ```
/// use nextedge_core::Category;
/// use nextedge_core::policy::Policy;
///
/// let policy = Policy::from_toml("[categories.Lead]\nthreshold = 0.9\n")?;
/// assert_eq!(policy.threshold(Category::Lead).get(), 0.9);
/// let error = Policy::from_toml("[categories.Lead]\ntreshold = 0.9\n").unwrap_err();
/// assert_eq!(error.context("line"), Some("2"));
/// assert_eq!(error.action(), Some("write `threshold` instead of `treshold`"));
/// # Ok::<(), nextedge_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Policy {
    /// Below this confidence the rules propose the category and a person decides; 0.75 by default.
    pub review_floor: Confidence,
    /// Threshold and switch of each category; a missing one has the defaults.
    pub categories: BTreeMap<Category, CategoryPolicy>,
    /// Business rules, the first that applies wins; none by default.
    pub rules: Vec<Rule>,
    /// Words that propose a category below the floor where no rule does, lower case.
    pub keywords: BTreeMap<Category, Vec<String>>,
    /// Machine mail, privacy filter, our own side.
    pub screen: ScreenPolicy,
    /// Whom to believe about senders.
    pub authenticity: AuthenticityPolicy,
    /// From urgency to priority.
    pub priority: PriorityPolicy,
    /// How leads are scored.
    pub score: ScorePolicy,
    /// Who gets new records; nobody by default.
    pub assignment: Assignment,
    /// Which attachments go to the CRM.
    pub attachments: AttachmentPolicy,
    /// How long a person may take.
    pub review: ReviewPolicy,
    /// What threads do in special cases.
    pub threads: ThreadPolicy,
    /// How long content is kept.
    pub retention: RetentionPolicy,
}

impl Policy {
    /// Reads and validates the TOML form.
    ///
    /// # Errors
    ///
    /// Kind `Config`; the context names `field` and `line`, the action what to write instead.
    pub fn from_toml(text: &str) -> Result<Self> {
        let policy: Self = import::read("policy", text)?;
        validate(&policy).map_err(|error| import::located(error, text))?;
        Ok(policy)
    }

    /// Writes the TOML form, which [`Policy::from_toml`] reads back to the same value.
    ///
    /// # Errors
    ///
    /// Kind `Unexpected` if a value has no TOML form.
    pub fn to_toml(&self) -> Result<String> {
        import::write(self)
    }

    /// Returns the settings of a category.
    pub fn category(&self, category: Category) -> CategoryPolicy {
        self.categories.get(&category).copied().unwrap_or_default()
    }

    /// Returns the confidence from which a category is written without a person.
    pub fn threshold(&self, category: Category) -> Confidence {
        self.category(category).threshold
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            review_floor: Confidence::FLOOR,
            categories: Category::ALL
                .into_iter()
                .map(|category| (category, CategoryPolicy::default()))
                .collect(),
            rules: Vec::new(),
            keywords: default_keywords(),
            screen: ScreenPolicy::default(),
            authenticity: AuthenticityPolicy::default(),
            priority: PriorityPolicy::default(),
            score: ScorePolicy::default(),
            assignment: Assignment::default(),
            attachments: AttachmentPolicy::default(),
            review: ReviewPolicy::default(),
            threads: ThreadPolicy::default(),
            retention: RetentionPolicy::default(),
        }
    }
}

/// Threshold and switch of one category.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(clippy::exhaustive_structs)] // configuration is built literally
pub struct CategoryPolicy {
    /// From this confidence on mail is written without a person; 0.80 by default.
    pub threshold: Confidence,
    /// Whether mail of this category is wanted in the CRM; yes by default.
    pub enabled: bool,
}

impl Default for CategoryPolicy {
    fn default() -> Self {
        Self {
            threshold: Confidence::WRITE,
            enabled: true,
        }
    }
}

/// Which attachments go to the CRM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(clippy::exhaustive_structs)] // configuration is built literally
pub struct AttachmentPolicy {
    /// Largest attachment in bytes; 10 MiB by default.
    pub max_bytes: u64,
    /// Most attachments of one mail; 25 by default.
    pub max_count: usize,
    /// Allowed media types, `image/*` for a whole family; PDF, images and Office by default.
    pub types: Vec<String>,
    /// Refused file endings whatever the media type says; programs and scripts by default.
    pub refused_endings: Vec<String>,
}

impl Default for AttachmentPolicy {
    fn default() -> Self {
        Self {
            max_bytes: 10 * 1024 * 1024,
            max_count: 25,
            types: ATTACHMENT_TYPES.iter().map(ToString::to_string).collect(),
            refused_endings: REFUSED_ENDINGS.iter().map(ToString::to_string).collect(),
        }
    }
}

/// How long a person may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(clippy::exhaustive_structs)] // configuration is built literally
pub struct ReviewPolicy {
    /// After this many days an open item parks itself as expired; 30 by default.
    pub expires_after_days: u32,
}

impl Default for ReviewPolicy {
    fn default() -> Self {
        Self {
            expires_after_days: 30,
        }
    }
}

/// What threads do in special cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(clippy::exhaustive_structs)] // configuration is built literally
pub struct ThreadPolicy {
    /// A second thread of a sender who already has an open lead of ours.
    pub second_thread: SecondThread,
    /// The thread's record was deleted in the CRM.
    pub record_gone: RecordGone,
    /// The thread's record is closed.
    pub closed_record: ClosedRecord,
    /// The sender is already a contact.
    pub known_party: KnownPartyPolicy,
    /// A mail that became known after a later one of its thread was applied.
    pub late: LatePolicy,
}

/// What a second thread of a sender with an open lead becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SecondThread {
    /// An activity on that lead.
    #[default]
    Activity,
    /// A lead of its own.
    NewRecord,
}

/// What happens when the thread's record was deleted in the CRM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RecordGone {
    /// A person decides.
    #[default]
    Review,
    /// A new record is created.
    NewRecord,
}

/// What happens when the thread's record is closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClosedRecord {
    /// The mail joins it, with the field map's reply fields, such as a reopen status.
    #[default]
    Join,
    /// The mail joins its timeline and changes nothing.
    JoinQuietly,
    /// A new record is created.
    NewRecord,
}

/// What happens when the sender is already a contact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KnownPartyPolicy {
    /// What the field map says.
    #[default]
    FieldMap,
    /// The same as for an unknown sender.
    Same,
    /// Only the mail on the contact's timeline.
    ActivityOnly,
    /// A person decides.
    Review,
}

/// What happens to a mail that became known after a later one of its thread was applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LatePolicy {
    /// It joins the timeline with its own date and changes no field.
    #[default]
    Activity,
    /// A person decides.
    Review,
}

/// How long content is kept after a mail reached its final state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(clippy::exhaustive_structs)] // configuration is built literally
pub struct RetentionPolicy {
    /// Bodies and attachments: 0 to 90 days; 30 by default.
    pub bodies_days: u32,
    /// Audit rows; 90 days by default.
    pub audit_days: u32,
    /// Content of review and dead items that nobody decides; 90 days by default.
    pub undecided_days: u32,
}

impl Default for RetentionPolicy {
    fn default() -> Self {
        Self {
            bodies_days: 30,
            audit_days: 90,
            undecided_days: 90,
        }
    }
}

fn default_keywords() -> BTreeMap<Category, Vec<String>> {
    let words = |list: &[&str]| list.iter().map(ToString::to_string).collect();
    BTreeMap::from([
        (Category::Case, words(CASE_WORDS)),
        (Category::Opportunity, words(OPPORTUNITY_WORDS)),
        (Category::Lead, words(LEAD_WORDS)),
        (Category::Contact, words(CONTACT_WORDS)),
    ])
}

/// Default media types: PDF, images, Office.
const ATTACHMENT_TYPES: &[&str] = &[
    "application/pdf",
    "image/*",
    "application/msword",
    "application/vnd.ms-excel",
    "application/vnd.ms-powerpoint",
    "application/vnd.openxmlformats-officedocument.*",
    "application/vnd.oasis.opendocument.*",
    "application/rtf",
    "text/csv",
    "text/plain",
];

/// Endings of files that run when opened.
const REFUSED_ENDINGS: &[&str] = &[
    "bat", "cmd", "com", "cpl", "dll", "exe", "hta", "img", "iso", "jar", "js", "jse", "lnk",
    "msi", "pif", "ps1", "reg", "scr", "vbe", "vbs", "wsf", "docm", "xlsm", "pptm", "svg",
];

const CASE_WORDS: &[&str] = &[
    "not working",
    "does not work",
    "broken",
    "error",
    "refund",
    "complaint",
    "invoice",
    "outage",
    "funktioniert nicht",
    "defekt",
    "störung",
    "fehler",
    "beschwerde",
    "rechnung",
    "erstattung",
    "ne fonctionne pas",
    "en panne",
    "réclamation",
    "facture",
    "remboursement",
    "erreur",
    "no funciona",
    "avería",
    "reclamación",
    "factura",
    "reembolso",
    "non funziona",
    "guasto",
    "reclamo",
    "fattura",
    "rimborso",
    "não funciona",
    "avaria",
    "reclamação",
    "fatura",
    "werkt niet",
    "storing",
    "klacht",
    "factuur",
    "terugbetaling",
    "故障",
    "返金",
];

const OPPORTUNITY_WORDS: &[&str] = &[
    "purchase order",
    "your quote",
    "your offer",
    "renewal",
    "tender",
    "ihr angebot",
    "bestellung",
    "auftrag",
    "verlängerung",
    "votre devis",
    "bon de commande",
    "renouvellement",
    "su oferta",
    "pedido de compra",
    "renovación",
    "la vostra offerta",
    "rinnovo",
    "ordine",
    "a sua proposta",
    "renovação",
    "uw offerte",
    "verlenging",
    "bestelling",
    "発注",
];

const LEAD_WORDS: &[&str] = &[
    "price list",
    "pricing",
    "prices",
    "quotation",
    "demo",
    "trial",
    "interested in",
    "preisliste",
    "preise",
    "interesse an",
    "angebot",
    "tarifs",
    "devis",
    "intéressé",
    "precios",
    "presupuesto",
    "interesado",
    "prezzi",
    "preventivo",
    "interessati",
    "preços",
    "orçamento",
    "interessado",
    "prijzen",
    "offerte",
    "geïnteresseerd",
    "見積",
    "価格",
];

const CONTACT_WORDS: &[&str] = &[
    "new phone number",
    "new address",
    "my new number",
    "business card",
    "successor",
    "neue nummer",
    "neue adresse",
    "nachfolger",
    "nouveau numéro",
    "nouvelle adresse",
    "nuevo número",
    "nueva dirección",
    "nuovo numero",
    "nuovo indirizzo",
    "novo número",
    "nieuw nummer",
    "nieuw adres",
    "visitekaartje",
    "visitenkarte",
];
