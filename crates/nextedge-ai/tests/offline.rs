//! The embedded model: same answer always, calibrated, with evidence that lies in the text.
#![allow(clippy::unwrap_used)]

use nextedge_ai::OfflineClassifier;
use nextedge_ai::features::{Features, MailView};
use nextedge_core::classify::{ClassifyRequest, TextPart};
use nextedge_core::{Category, EmailAddress};

fn mails() -> Vec<(ClassifyRequest, Category)> {
    let cases = [
        (
            "Price list",
            "Hello, we are a bakery in Lyon and look for a supplier of ovens. What do they cost? Could we see a demo?",
            Category::Lead,
        ),
        (
            "Machine broken",
            "Since this morning the press does not start, error E14. Please send a technician.",
            Category::Case,
        ),
        (
            "New phone number",
            "Please note my new mobile number +49 30 555 1234 and update your records.",
            Category::Contact,
        ),
        (
            "Re: your quote 4711",
            "Thank you for the offer. With a discount of 5 % we place the order. Please send the contract.",
            Category::Opportunity,
        ),
        (
            "Weekly newsletter",
            "Top stories this week. Read more online. Unsubscribe here: https://n.example/u",
            Category::None,
        ),
        (
            "Störung",
            "Die Anlage funktioniert nicht mehr, bitte um schnelle Hilfe.",
            Category::Case,
        ),
    ];
    cases
        .into_iter()
        .map(|(s, t, c)| (ClassifyRequest::new(s, t), c))
        .collect()
}

#[test]
fn clear_mails_get_their_category() {
    let classifier = OfflineClassifier::embedded().unwrap();
    for (mail, expected) in mails() {
        assert_eq!(
            classifier.answer(&mail).unwrap().top().0,
            expected,
            "{}",
            mail.subject
        );
    }
}

#[test]
fn the_same_mail_gets_the_same_answer() {
    let (one, two) = (
        OfflineClassifier::embedded().unwrap(),
        OfflineClassifier::embedded().unwrap(),
    );
    for (mail, _) in mails() {
        assert_eq!(one.answer(&mail).unwrap(), two.answer(&mail).unwrap());
    }
}

#[test]
fn no_answer_is_above_the_cap() {
    let classifier = OfflineClassifier::embedded().unwrap();
    assert!(classifier.cap() < 1.0);
    let loud = "unsubscribe newsletter refund broken discount demo ".repeat(200);
    let mut all: Vec<ClassifyRequest> = mails().into_iter().map(|(mail, _)| mail).collect();
    all.extend([
        ClassifyRequest::new("", ""),
        ClassifyRequest::new(&loud, &loud),
    ]);
    for mail in all {
        assert!(classifier.answer(&mail).unwrap().top().1.get() <= classifier.cap() + 1e-6);
    }
}

#[test]
fn an_empty_mail_is_answered_without_certainty() {
    let answer = OfflineClassifier::embedded()
        .unwrap()
        .answer(&ClassifyRequest::new("", ""))
        .unwrap();
    assert!(answer.top().1.get() < 0.80, "{answer:?}");
    assert!(answer.evidence.is_empty());
}

#[test]
fn evidence_lies_in_the_text_on_character_boundaries() {
    let classifier = OfflineClassifier::embedded().unwrap();
    let odd = ClassifyRequest::new(
        "Größe 😀 見積り?",
        "Können Sie — bitte – ’zurückrufen’? 見積りをお願いします😀",
    );
    for mail in mails().into_iter().map(|(mail, _)| mail).chain([odd]) {
        for evidence in classifier.answer(&mail).unwrap().evidence {
            let text = match evidence.part {
                TextPart::Subject => &mail.subject,
                TextPart::Text => &mail.text,
            };
            assert!(
                text.get(evidence.span.clone())
                    .is_some_and(|t| !t.is_empty())
            );
            assert!(evidence.weight > 0.0);
        }
    }
}

#[test]
fn damaged_weights_are_refused() {
    assert!(OfflineClassifier::from_weights(b"NXEDGEAI and then nothing of use").is_err());
}

/// Buckets are stored in the weights file: if they move, the file must be trained again and
/// `FEATURE_VERSION` must grow.
#[test]
fn features_of_a_known_mail_stay_in_their_buckets() {
    let sender = EmailAddress::parse("news@a.example").unwrap();
    let features = Features::of(&MailView::new(
        "Re: Price",
        "How much? Größe 5",
        Some(&sender),
    ));
    let buckets: Vec<u32> = features.list().iter().map(|f| f.bucket).collect();
    let sum = buckets.iter().fold(0_u64, |sum, b| {
        sum.wrapping_mul(31).wrapping_add(u64::from(*b))
    });
    assert_eq!(
        (buckets.len(), sum),
        (EXPECTED.0, EXPECTED.1),
        "{buckets:?}"
    );
}

const EXPECTED: (usize, u64) = (30, 12_138_580_537_694_044_137);
