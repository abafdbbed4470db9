#![allow(clippy::unwrap_used)]

use super::*;
use crate::domain::EmailAddress;

fn sender(address: &str, name: &str) -> Mailer {
    Mailer {
        address: EmailAddress::parse(address).unwrap(),
        name: name.to_owned(),
    }
}

fn found(sender: &Mailer, text: &str, kind: ContactField) -> Option<String> {
    let fields = contact_fields(sender, text);
    for field in &fields {
        if let Some(span) = field.span.clone() {
            assert_eq!(text.get(span), Some(field.value.as_str()));
        }
    }
    best(&fields, kind).map(|field| field.value.clone())
}

#[test]
fn phones_are_told_from_other_numbers() {
    for (text, expected) in [
        ("call me: +44 20 7946 0321.", Some("+44 20 7946 0321")),
        ("Tel. 030 / 123456-7", Some("030 / 123456-7")),
        ("Tél : 01 23 45 67 89", Some("01 23 45 67 89")),
        ("Fax: +49 30 1234567", None),
        (
            "Tel: +49 30 1234567, Fax: +49 30 1234568",
            Some("+49 30 1234567"),
        ),
        (
            "Fax +49 30 1234568 | Mobil +49 170 1234567",
            Some("+49 170 1234567"),
        ),
        ("invoice 4711-2026 of 14.10.2026", None),
        ("order 31-0090, 40,000 litres", None),
        ("IBAN DE00 1234 5678 9012 3456 78", None),
        ("10.0.118.185", None),
        ("+123", None),
        ("電話 03-1234-5678", Some("03-1234-5678")),
        ("a+44207946032@x.example", None),
        ("0049 30 1234567", Some("0049 30 1234567")),
    ] {
        let phone = found(&sender("a@b.example", ""), text, ContactField::Phone);
        assert_eq!(phone.as_deref(), expected, "{text}");
    }
}

#[test]
fn phones_are_brought_to_one_form() {
    for (value, expected) in [
        ("+44 20 7946 0321", "+442079460321"),
        ("+49 (0)30 1234", "+49301234"),
        ("0049 30 1234", "+49301234"),
        ("030 / 123456-7", "0301234567"),
    ] {
        assert_eq!(normalised_phone(value), expected);
    }
}

#[test]
fn signatures_and_forms_give_title_and_company() {
    let marcus = sender("m.oduya@brightwater-dairy.example", "Marcus Oduya");
    let priya = sender("priya.nair@kestrel-foods.example", "Priya Nair");
    let free = sender("someone@gmail.com", "");
    for (who, text, title, company) in [
        (
            &marcus,
            "Hello.\n\nMarcus Oduya\nPlant Manager, Brightwater Dairy\n",
            Some("Plant Manager"),
            Some("Brightwater Dairy"),
        ),
        (
            &priya,
            "Hi,\n\nKind regards,\nPriya Nair\nEngineering Manager\nKestrel Foods Ltd\n+44 161 496 0733\n",
            Some("Engineering Manager"),
            Some("Kestrel Foods Ltd"),
        ),
        (
            &free,
            "Mit freundlichen Grüßen\nJörg Müller\nEinkaufsleiter\nMüller Pumpen GmbH & Co. KG\n",
            Some("Einkaufsleiter"),
            Some("Müller Pumpen GmbH & Co. KG"),
        ),
        (
            &free,
            "Name: Dylan Achebe\nCompany: Orchard Vale Growers\nPosition: Buyer\n",
            Some("Buyer"),
            Some("Orchard Vale Growers"),
        ),
        (
            &marcus,
            "We make cheese with our company and a plant manager.\nBye",
            None,
            None,
        ),
    ] {
        assert_eq!(
            found(who, text, ContactField::Title).as_deref(),
            title,
            "{text}"
        );
        assert_eq!(
            found(who, text, ContactField::Company).as_deref(),
            company,
            "{text}"
        );
    }
}

#[test]
fn a_long_text_is_searched_at_both_ends_with_true_spans() {
    let who = sender("ada@x.example", "Ada Lovelace");
    let text = format!(
        "Company: Analytical Engines\n{}\nAda Lovelace\nTel +44 20 7946 0321\n",
        "é1 ".repeat(40_000)
    );
    assert_eq!(
        found(&who, &text, ContactField::Company).as_deref(),
        Some("Analytical Engines")
    );
    assert_eq!(
        found(&who, &text, ContactField::Phone).as_deref(),
        Some("+44 20 7946 0321")
    );
}

#[test]
fn what_does_not_occur_in_the_mail_is_dropped() {
    let who = sender("ada@x.example", "Ada Lovelace");
    let text = "I am with  Analytical\nEngines.";
    let field = |field, value: &str, span| ExtractedField {
        field,
        value: value.to_owned(),
        span,
        confidence: f64::NAN,
    };
    let kept = ground(
        vec![
            field(ContactField::Company, "analytical engines", None),
            field(ContactField::Company, "Invented Ltd", Some(0..4)),
            field(ContactField::Name, "Ada Lovelace", Some(900..910)),
            field(ContactField::Phone, "", None),
            field(ContactField::Title, "CE\u{0}O", None),
            field(ContactField::Title, "Boss of 4711", None),
        ],
        &who,
        "About 4711",
        text,
    );
    let values: Vec<&str> = kept.iter().map(|field| field.value.as_str()).collect();
    assert_eq!(values, ["Ada Lovelace", "analytical engines"]);
    assert!(
        kept.iter()
            .all(|field| field.span.is_none() && field.confidence == 0.0)
    );
}
