//! How good a lead is: points with their reasons.

use serde::{Deserialize, Serialize};

use super::cues::Cues;
use super::text::{Folded, first_phrase, folded};
use crate::classify::{ContactField, ExtractedField};
use crate::domain::{Band, Confidence, EmailAddress, Urgency};
use crate::policy::ScorePolicy;

/// A lead score that explains itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct LeadScore {
    /// 0 to 100.
    pub points: u8,
    /// Hot, warm or cold by the policy's bands.
    pub band: Band,
    /// Where the points come from; every factor stands here, also those with 0 points.
    pub factors: Vec<Factor>,
}

/// One part of a lead score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct Factor {
    /// Its name, as in the policy.
    pub name: String,
    /// Its points.
    pub points: u8,
    /// Why, in words.
    pub why: String,
}

/// What a lead is scored by.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs)] // built by the decision and by tests
pub struct ScoreInput<'a> {
    /// How sure the classifier is that it is a lead.
    pub confidence: Confidence,
    /// Who wrote.
    pub sender: &'a EmailAddress,
    /// The decoded subject.
    pub subject: &'a str,
    /// The new text.
    pub text: &'a str,
    /// Contact facts found in the mail.
    pub fields: &'a [ExtractedField],
    /// How much it hurries.
    pub urgency: Urgency,
}

/// Scores a lead.
pub fn lead_score(input: &ScoreInput<'_>, policy: &ScorePolicy) -> LeadScore {
    let text = Folded::of(input.subject, input.text);
    score_in(&text, Cues::of(&text), input, policy)
}

pub(super) fn score_in(
    text: &Folded,
    cues: Cues,
    input: &ScoreInput<'_>,
    policy: &ScorePolicy,
) -> LeadScore {
    let text = text.as_str();
    let weights = &policy.weights;
    let factors = vec![
        confidence(input.confidence, weights.confidence),
        company(input.sender, weights.company),
        buying(cues.buying, weights.buying_words),
        specifics(text, weights.specifics),
        hurry(input.urgency, weights.urgency),
        phone(input.fields, weights.phone),
        title(input.fields, weights.title),
    ];
    let sum: u32 = factors.iter().map(|factor| u32::from(factor.points)).sum();
    let points = u8::try_from(sum.min(100)).unwrap_or(100);
    let band = match points {
        p if p >= policy.hot => Band::Hot,
        p if p >= policy.warm => Band::Warm,
        _ => Band::Cold,
    };
    LeadScore {
        points,
        band,
        factors,
    }
}

fn confidence(confidence: Confidence, weight: u8) -> Factor {
    let share = confidence.get() * f64::from(weight);
    // A confidence is 0 to 1, so the product fits.
    let points = share.round().clamp(0.0, f64::from(weight)) as u8;
    factor(
        "confidence",
        points,
        format!("{:.0} % sure that it is a lead", confidence.get() * 100.0),
    )
}

fn company(sender: &EmailAddress, weight: u8) -> Factor {
    if sender.domain().is_free_mail() {
        return factor("company", 0, "writes from a free-mail address");
    }
    factor("company", weight, "writes from a company's domain")
}

fn buying(word: Option<&str>, weight: u8) -> Factor {
    match word {
        Some(word) => factor("buying_words", weight, format!("asks to buy: “{word}”")),
        None => factor(
            "buying_words",
            0,
            "does not ask for prices, an offer or a demo",
        ),
    }
}

fn specifics(text: &str, weight: u8) -> Factor {
    let digits = text.split_whitespace().any(|word| {
        let word =
            word.trim_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '€' | '$' | '£'));
        let numbers = word.chars().filter(char::is_ascii_digit).count();
        (1..=6).contains(&numbers) && word.chars().count() <= 10
    });
    if digits {
        return factor("specifics", weight, "names a number, an amount or a date");
    }
    factor("specifics", 0, "names no number, amount or date")
}

fn hurry(urgency: Urgency, weight: u8) -> Factor {
    let points = match urgency {
        Urgency::Critical | Urgency::High => weight,
        Urgency::Normal => weight / 2,
        Urgency::Low | Urgency::None => 0,
    };
    factor(
        "urgency",
        points,
        format!("urgency is {}", urgency.as_str()),
    )
}

fn phone(fields: &[ExtractedField], weight: u8) -> Factor {
    match fields
        .iter()
        .any(|field| field.field == ContactField::Phone)
    {
        true => factor("phone", weight, "gives a phone number"),
        false => factor("phone", 0, "gives no phone number"),
    }
}

fn title(fields: &[ExtractedField], weight: u8) -> Factor {
    let mut titles = fields
        .iter()
        .filter(|field| field.field == ContactField::Title);
    let Some(title) = titles.next() else {
        return factor("title", 0, "gives no job title");
    };
    match first_phrase(&folded(&title.value), DECIDERS.iter().copied()) {
        Some(_) => factor("title", weight, "title decides about purchases"),
        None => factor("title", weight / 2, "gives a job title"),
    }
}

fn factor(name: &str, points: u8, why: impl Into<String>) -> Factor {
    Factor {
        name: name.to_owned(),
        points,
        why: why.into(),
    }
}

pub(super) const BUYING: &[&str] = &[
    "price",
    "prices",
    "pricing",
    "price list",
    "quote",
    "quotation",
    "offer",
    "demo",
    "demonstration",
    "trial",
    "buy",
    "purchase",
    "order",
    "supplier",
    "leasing",
    "preis",
    "preise",
    "preisliste",
    "angebot",
    "vorführung",
    "testphase",
    "kaufen",
    "bestellen",
    "prix",
    "tarif",
    "tarifs",
    "devis",
    "démonstration",
    "essai",
    "acheter",
    "commander",
    "precio",
    "precios",
    "presupuesto",
    "oferta",
    "demostración",
    "comprar",
    "prezzo",
    "prezzi",
    "preventivo",
    "offerta",
    "dimostrazione",
    "prova",
    "acquistare",
    "preço",
    "preços",
    "orçamento",
    "proposta",
    "demonstração",
    "prijs",
    "prijzen",
    "offerte",
    "proefperiode",
    "kopen",
    "見積",
    "価格",
    "デモ",
    "报价",
    "价格",
    "цены",
    "цена",
];

const DECIDERS: &[&str] = &[
    "ceo",
    "cto",
    "cfo",
    "coo",
    "owner",
    "founder",
    "president",
    "director",
    "head",
    "vp",
    "manager",
    "purchasing",
    "procurement",
    "buyer",
    "partner",
    "geschäftsführer",
    "geschäftsführerin",
    "inhaber",
    "inhaberin",
    "leiter",
    "leiterin",
    "einkauf",
    "directeur",
    "directrice",
    "gérant",
    "gérante",
    "responsable",
    "acheteur",
    "directora",
    "gerente",
    "propietario",
    "compras",
    "jefe",
    "jefa",
    "direttore",
    "direttrice",
    "titolare",
    "responsabile",
    "acquisti",
    "diretor",
    "diretora",
    "proprietário",
    "eigenaar",
    "inkoop",
    "bedrijfsleider",
    "部長",
    "社長",
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn score(address: &str, text: &str, phone: Option<&str>, confidence: f64) -> LeadScore {
        let fields: Vec<ExtractedField> = phone
            .map(|value| ExtractedField {
                field: ContactField::Phone,
                value: value.to_owned(),
                span: None,
                confidence: 1.0,
            })
            .into_iter()
            .collect();
        let input = ScoreInput {
            confidence: Confidence::new(confidence).unwrap(),
            sender: &EmailAddress::parse(address).unwrap(),
            subject: "",
            text,
            fields: &fields,
            urgency: Urgency::Normal,
        };
        lead_score(&input, &ScorePolicy::default())
    }

    #[test]
    fn bands_follow_what_the_mail_gives() {
        for (address, text, phone, confidence, band) in [
            (
                "a@acme.com",
                "please quote 40 pumps by 3 May",
                Some("+441632960000"),
                0.95,
                Band::Hot,
            ),
            (
                "a@gmail.com",
                "what are your prices?",
                None,
                0.9,
                Band::Warm,
            ),
            ("a@gmail.com", "hello", None, 0.5, Band::Cold),
        ] {
            let score = score(address, text, phone, confidence);
            assert_eq!(score.band, band, "{text}: {score:?}");
        }
    }

    #[test]
    fn points_are_the_sum_of_the_factors_and_stay_within_100() {
        let score = score("a@acme.com", "quote 40 pumps", Some("1"), 1.0);
        let sum: u32 = score.factors.iter().map(|f| u32::from(f.points)).sum();
        assert_eq!(u32::from(score.points), sum);
        let greedy = ScorePolicy {
            weights: crate::policy::ScoreWeights {
                confidence: 255,
                company: 255,
                ..Default::default()
            },
            ..ScorePolicy::default()
        };
        let input = ScoreInput {
            confidence: Confidence::CERTAIN,
            sender: &EmailAddress::parse("a@acme.com").unwrap(),
            subject: "",
            text: "",
            fields: &[],
            urgency: Urgency::None,
        };
        assert_eq!(lead_score(&input, &greedy).points, 100);
    }
}
