//! Pads written rows with prose that says nothing about their category.
//!
//! Written rows are short and real mails are long; without padding a model learns "long prose is
//! None". So some rows of every category get neutral business sentences or a few sentences of a
//! real list mail that the corpus labels `None`.

use nextedge_ai::dataset::{Row, new_text};
use nextedge_core::Category;

use crate::random::{Random, stable_hash};

/// Pads some of the rows; the choice hangs on the row's id alone.
pub(crate) fn pad(rows: &mut [Row], real: &[Row]) {
    let prose = paragraphs(real);
    for row in rows {
        let mut random = Random::new(stable_hash(&row.id) ^ stable_hash(&row.source));
        if random.chance(NEUTRAL_PERCENT) {
            let count = 1 + random.below(3);
            let padding: Vec<&str> = (0..count)
                .map(|_| NEUTRAL[random.below(NEUTRAL.len())])
                .collect();
            add(row, &padding.join(" "), &mut random);
        }
        let business = row.label != Some(Category::None);
        if business && !prose.is_empty() && random.chance(REAL_PERCENT) {
            let padding = prose[random.below(prose.len())].clone();
            add(row, &padding, &mut random);
        }
    }
}

fn add(row: &mut Row, padding: &str, random: &mut Random) {
    row.body = if random.chance(50) {
        format!("{padding}\n\n{}", row.body)
    } else {
        let (head, tail) = row
            .body
            .split_at(row.body.find("\n\n-- ").unwrap_or(row.body.len()));
        format!("{head}\n\n{padding}{tail}")
    };
}

/// Paragraphs of plain sentences from list mail and personal mail, never from spam.
fn paragraphs(real: &[Row]) -> Vec<String> {
    let ham = real
        .iter()
        .filter(|r| r.source.contains("easy-ham") && r.label == Some(Category::None));
    let mut found = Vec::new();
    for row in ham {
        for paragraph in new_text(&row.body).split("\n\n") {
            let text = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
            let words = text.split(' ').count();
            let plain = text
                .chars()
                .filter(|c| c.is_alphabetic() || *c == ' ')
                .count();
            if (15..90).contains(&words) && plain * 100 > text.chars().count() * 93 {
                found.push(text);
            }
        }
    }
    found
}

const NEUTRAL_PERCENT: usize = 30;
const REAL_PERCENT: usize = 30;
const NEUTRAL: &[&str] = &[
    "I hope this message finds you well.",
    "I hope you had a good start into the week.",
    "It has been a busy month here.",
    "Our office is open from eight to five.",
    "I am copying my colleague so that she is informed.",
    "Sorry for the long text.",
    "Let me give you some background first.",
    "We are about twenty people and have been in business since 1998.",
    "As you can imagine, this is important for us.",
    "I will be in the office until Friday.",
    "You can also reach me by phone in the afternoon.",
    "The weather here is dreadful, by the way.",
    "I know you have a lot to do.",
    "I am not sure whether you are the right person for this.",
    "If not, please pass this on to the right person.",
    "My boss asked me to write to you.",
    "We talked about it in our meeting yesterday.",
    "It is the same situation in our other building.",
    "I tried to call but got no connection.",
    "Please excuse my English, it is not my first language.",
    "To be honest, I had expected something else.",
    "The whole team is looking forward to it.",
    "There are a few more details in the attached document.",
    "I look forward to hearing from you.",
    "Thank you for your time and effort.",
    "Feel free to ask if anything is unclear.",
    "Ich hoffe, es geht Ihnen gut.",
    "Bei Fragen können Sie mich jederzeit anrufen.",
    "Ich freue mich auf Ihre Antwort.",
    "Ich setze meine Kollegin in Kopie.",
    "J'espère que vous allez bien.",
    "Je reste à votre disposition pour toute question.",
    "Dans l'attente de votre réponse.",
    "Espero que se encuentre bien.",
    "Quedo a la espera de su respuesta.",
    "Spero che stiate bene.",
    "Resto in attesa di un vostro riscontro.",
    "Espero que esteja tudo bem.",
    "Fico a aguardar a vossa resposta.",
    "Ik hoop dat alles goed gaat.",
    "Ik hoor graag van u.",
];
