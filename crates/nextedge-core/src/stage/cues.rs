//! Every fixed cue of a mail, found in one pass over its folded text.

use std::sync::LazyLock;

use super::text::{Folded, PhraseSet};
use super::{decide, score, urgency};
use crate::domain::Urgency;

/// What the fixed phrases say about a mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cues {
    /// The strongest cue for or against hurry.
    pub(super) urgency: Option<Urgency>,
    /// The first word that asks to buy.
    pub(super) buying: Option<&'static str>,
    /// The text addresses an assistant.
    pub(super) suspicious: bool,
}

impl Cues {
    /// Finds them in subject and text.
    pub(super) fn of(text: &Folded) -> Self {
        Self::in_text(text.as_str())
    }

    /// Finds them in a folded text.
    pub(super) fn in_text(text: &str) -> Self {
        let mut cues = Self::default();
        for (phrase, cue) in SET.hits(text) {
            match cue {
                Cue::Urgency(urgency) => cues.urgency = cues.urgency.max(Some(urgency)),
                Cue::Buying => cues.buying = cues.buying.or(Some(phrase)),
                Cue::Suspicious => cues.suspicious = true,
            }
        }
        cues
    }
}

#[derive(Clone, Copy)]
enum Cue {
    Urgency(Urgency),
    Buying,
    Suspicious,
}

static SET: LazyLock<PhraseSet<Cue>> = LazyLock::new(|| {
    PhraseSet::new([
        (Cue::Urgency(Urgency::Critical), urgency::CRITICAL),
        (Cue::Urgency(Urgency::High), urgency::HIGH),
        (Cue::Urgency(Urgency::Low), urgency::CALM),
        (Cue::Buying, score::BUYING),
        (Cue::Suspicious, decide::ASSISTANT_CUES),
        (Cue::Suspicious, decide::ASSISTANT_MARKS),
    ])
});
