//! How much a mail hurries, from cues in seven languages and the classifier's answer.

use super::cues::Cues;
use super::text::Folded;
use crate::domain::Urgency;

/// Combines the classifier's urgency with the cues in subject and text.
///
/// A cue raises, by at most two steps; a mail that says it does not hurry is lowered to `low` where
/// nothing else speaks for more than `normal`.
pub fn urgency(subject: &str, text: &str, classified: Option<Urgency>) -> Urgency {
    combined(cue(subject, text), classified)
}

/// Returns the strongest cue of subject and text, if there is one; denials are no cues.
pub fn cue(subject: &str, text: &str) -> Option<Urgency> {
    Cues::of(&Folded::of(subject, text)).urgency
}

pub(super) fn combined(cue: Option<Urgency>, classified: Option<Urgency>) -> Urgency {
    let base = classified.unwrap_or_default();
    match cue {
        Some(Urgency::Low) if base <= Urgency::Normal => base.min(Urgency::Low),
        Some(cue) if cue > base => cue.min(raised_twice(base)),
        _ => base,
    }
}

fn raised_twice(urgency: Urgency) -> Urgency {
    let index = Urgency::ALL.iter().position(|known| *known == urgency);
    let last = Urgency::ALL.len() - 1;
    Urgency::ALL[index.map_or(last, |index| (index + 2).min(last))]
}

pub(super) const CRITICAL: &[&str] = &[
    "emergency",
    "production is down",
    "production down",
    "production stands still",
    "is down since",
    "line is down",
    "line down",
    "system is down",
    "completely down",
    "total outage",
    "outage",
    "filling with water",
    "flooding",
    "within the hour",
    "immediate danger",
    "notfall",
    "produktion steht",
    "anlage steht",
    "totalausfall",
    "komplett ausgefallen",
    "stillstand",
    "lebensgefahr",
    "urgence absolue",
    "production à l'arrêt",
    "production est arrêtée",
    "panne totale",
    "inondation",
    "emergencia",
    "producción parada",
    "producción está parada",
    "caída total",
    "inundación",
    "emergenza",
    "produzione ferma",
    "fermo impianto",
    "guasto totale",
    "allagamento",
    "emergência",
    "produção parada",
    "parada total",
    "inundação",
    "noodgeval",
    "productie ligt stil",
    "ligt volledig stil",
    "totale uitval",
    "overstroming",
];

pub(super) const HIGH: &[&str] = &[
    "urgent",
    "urgently",
    "asap",
    "as soon as possible",
    "immediately",
    "right away",
    "by today",
    "by end of day",
    "today, please",
    "critical",
    "straight away",
    "dringend",
    "eilig",
    "sofort",
    "umgehend",
    "schnellstmöglich",
    "so schnell wie möglich",
    "noch heute",
    "urgente",
    "d'urgence",
    "très urgent",
    "immédiatement",
    "dès que possible",
    "au plus vite",
    "aujourd'hui encore",
    "urgentemente",
    "lo antes posible",
    "cuanto antes",
    "inmediatamente",
    "hoy mismo",
    "il prima possibile",
    "al più presto",
    "immediatamente",
    "subito",
    "oggi stesso",
    "o mais rápido possível",
    "o quanto antes",
    "imediatamente",
    "ainda hoje",
    "spoed",
    "zo snel mogelijk",
    "onmiddellijk",
    "meteen",
    "vandaag nog",
];

pub(super) const CALM: &[&str] = &[
    "not urgent",
    "no rush",
    "no hurry",
    "whenever you have time",
    "when you have time",
    "not time critical",
    "isn't urgent",
    "nicht dringend",
    "nicht eilig",
    "keine eile",
    "eilt nicht",
    "wenn sie zeit haben",
    "pas urgent",
    "rien d'urgent",
    "pas pressé",
    "quand vous aurez le temps",
    "no es urgente",
    "sin prisa",
    "no corre prisa",
    "cuando tenga tiempo",
    "non urgente",
    "non è urgente",
    "senza fretta",
    "nessuna fretta",
    "quando ha tempo",
    "não é urgente",
    "sem pressa",
    "quando tiver tempo",
    "niet dringend",
    "geen haast",
    "niet urgent",
    "wanneer u tijd heeft",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cues_are_read_in_seven_languages_and_denials_are_not_cues() {
        use Urgency::{Critical, High, Low};
        for (text, expected) in [
            ("Our production is down since six", Some(Critical)),
            ("Die Anlage steht, bitte sofort", Some(Critical)),
            ("c'est très urgent", Some(High)),
            ("responda lo antes posible", Some(High)),
            ("rispondere al più presto", Some(High)),
            ("preciso ainda hoje", Some(High)),
            ("dit is een noodgeval", Some(Critical)),
            ("this is not urgent", Some(Low)),
            ("das ist nicht dringend, keine Eile", Some(Low)),
            ("not urgent for me, but the line is down", Some(Critical)),
            ("nothing of the kind", None),
            ("insurgents and resurgent", None),
        ] {
            assert_eq!(cue("", text), expected, "{text}");
        }
    }

    #[test]
    fn cues_raise_by_at_most_two_steps() {
        for (classified, text, expected) in [
            (Some(Urgency::None), "emergency", Urgency::Normal),
            (Some(Urgency::Normal), "emergency", Urgency::Critical),
            (None, "urgent", Urgency::High),
            (Some(Urgency::Critical), "urgent", Urgency::Critical),
            (Some(Urgency::Normal), "no rush", Urgency::Low),
            (Some(Urgency::None), "no rush", Urgency::None),
            (Some(Urgency::High), "no rush", Urgency::High),
        ] {
            assert_eq!(
                urgency("", text, classified),
                expected,
                "{text} {classified:?}"
            );
        }
    }
}
