#![allow(clippy::unwrap_used)]
use super::*;
use crate::mail::{Body, work_done};

fn body(text: &str, history: History) -> Body {
    Body {
        text: text.to_owned(),
        segments: segment(text, history),
        ..Body::default()
    }
}

fn of(text: &str, role: Role) -> String {
    body(text, History::Reply).text_of(&[role])
}

#[test]
fn answers_between_quotes_stay_new() {
    let text = "On 9 Nov 2026 at 09:14, Ada wrote:\n> first\n\nyes\n\n> second\n> line\n\nno\n";
    assert_eq!(of(text, Role::New), "\nyes\n\n\nno\n");
    assert_eq!(of(text, Role::Quoted).matches('>').count(), 3);
}

#[test]
fn sentences_that_look_like_heads_stay_new() {
    for text in [
        "On Monday our fitter wrote: too short.\n\nRegard it.\n",
        "Am 9. November 2026 um 9:14 schrieb unser Monteur:\nDie Platte ist zu kurz.\n",
        "From: here\nTo there we go.\n",
        "Le 9 novembre 2026 nous fermons.\n",
        "-----\nA rule and a text\n",
        "Original message: please resend it\n",
        "Sent from the office at 9:14:\nnothing\n",
    ] {
        assert_eq!(body(text, History::Reply).new_text(), text, "{text}");
    }
}

#[test]
fn forwarded_mail_is_told_from_answers() {
    for head in [
        "---------- Forwarded message ---------\nFrom: A <a@b.example>\nDate: x\nSubject: s\nTo: c\n\nold\n",
        "Begin forwarded message:\n\n> From: A <a@b.example>\n> Subject: s\n> Date: x\n> To: c\n>\n> old\n",
        "-------- Weitergeleitete Nachricht --------\nBetreff: s\nDatum: x\nVon: A <a@b.example>\nAn: c\n\nold\n",
        "Début du message réexpédié :\n\nDe: A <a@b.example>\nObjet: s\nDate: x\n\nold\n",
    ] {
        let text = format!("FYI\n\n{head}");
        assert_eq!(of(&text, Role::Forwarded), head, "{head}");
        assert_eq!(of(&text, Role::New), "FYI\n\n");
    }
    let outlook = "Please.\n\nFrom: A <a@b.example>\nSent: Monday\nTo: c\nSubject: s\n\nold\n";
    let forwarded = body(outlook, History::Forward).text_of(&[Role::Forwarded]);
    assert!(forwarded.starts_with("From: A"));
    assert!(of(outlook, Role::Quoted).starts_with("From: A"));
}

#[test]
fn signatures_and_disclaimers_are_set_apart() {
    for (text, signature) in [
        ("Hi\n\n-- \nAda\nAcme\n", "-- \nAda\nAcme\n"),
        (
            "Hi\n\nBest regards,\nAda Byron\nAcme Ltd\n",
            "Best regards,\nAda Byron\nAcme Ltd\n",
        ),
        (
            "Hallo\n\nMit freundlichen Grüßen\nAda\n",
            "Mit freundlichen Grüßen\nAda\n",
        ),
        ("Hi\n\nSent from my iPhone\n", "Sent from my iPhone\n"),
        (
            "Bonjour\n\nEnvoyé de mon iPhone\n",
            "Envoyé de mon iPhone\n",
        ),
        (
            "Hi\n\nThanks\n\nThis is a very long paragraph that goes on about the order and its many details, and so on and on.\n",
            "",
        ),
        ("Best regards to your team, we will write again.\n", ""),
    ] {
        assert_eq!(of(text, Role::Signature), signature, "{text}");
    }
    let legal = "This e-mail and any attachments are confidential and may be privileged by law.\n";
    let text = format!("Hi\n\nRegards\nAda\n\n{legal}\n> old\n");
    assert_eq!(of(&text, Role::Disclaimer), format!("{legal}\n"));
    assert_eq!(of(&text, Role::Signature), "Regards\nAda\n\n");
    assert_eq!(
        of(legal, Role::Disclaimer),
        "",
        "a mail that is nothing else is new text"
    );
}

#[test]
fn hostile_text_takes_linear_time() {
    for text in [
        "\n".repeat(2_000_000),
        ">".repeat(2_000_000),
        "> \n\n".repeat(300_000),
        "On Mon, Nov 9, 2026 at 9:14 a@b.example\n".repeat(50_000),
        "From: x\n".repeat(200_000),
        "From: x\nSent: y\n".repeat(100_000),
        "-----\n".repeat(200_000),
        "-- \nx\n".repeat(200_000),
        "on ".repeat(700_000),
    ] {
        let before = work_done();
        let segments = segment(&text, History::Reply);
        // counted, so that a busy machine changes nothing
        let looked = work_done() - before;
        assert!(looked <= 200 * text.len() as u64, "{text:.20} {looked}");
        assert_eq!(segments.last().unwrap().range.end, text.len());
    }
}
