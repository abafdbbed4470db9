//! The words of the mix: openings, sentences with numbers, HTML, files.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nextedge_core::Category;

/// A small deterministic generator; the same seed gives the same numbers.
#[derive(Debug)]
pub(crate) struct Words(u64);

impl Words {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5851_F42D_4C95_7F2D)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Eight letters: text distinct as it comes from people, not a list of numbers.
    fn push_letters(&mut self, out: &mut String) {
        let letters = self.next().to_le_bytes();
        out.extend(letters.map(|byte| char::from(b'a' + byte % 26)));
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[usize::try_from(self.next() % from.len() as u64).unwrap_or_default()]
    }
}

/// The name of a person by number.
pub(crate) fn person(number: u64) -> String {
    let mut words = Words::new(number ^ 0xA5A5);
    format!("{} {}", words.pick(FIRST), words.pick(LAST))
}

/// The subject of a thread.
pub(crate) fn subject(category: Category, thread: u64) -> String {
    let mut words = Words::new(thread ^ 0x5A5A);
    let (subjects, _, _) = corpus(category);
    format!("{} {}", words.pick(subjects), 10_000 + thread)
}

/// What the mail is about, with its own number in it.
pub(crate) fn push_opening(out: &mut String, category: Category, number: u64, words: &mut Words) {
    let (_, openings, _) = corpus(category);
    out.push_str("Hello,\r\n\r\n");
    out.push_str(words.pick(openings));
    out.push_str(&format!(" Our reference is K-{number}.\r\n\r\n"));
}

/// Some sentences of the category, each with letters of its own.
pub(crate) fn push_paragraph(out: &mut String, category: Category, words: &mut Words, mark: &str) {
    let (_, _, sentences) = corpus(category);
    for _ in 0..3 {
        out.push_str(mark);
        out.push_str(words.pick(sentences));
        out.push_str(" Ref ");
        words.push_letters(out);
        out.push_str(".\r\n");
    }
    out.push_str(mark.trim_end());
    out.push_str("\r\n");
}

/// The text again as quoted-printable HTML, with styled filler up to `size`.
pub(crate) fn push_html(out: &mut String, text: &str, size: usize, words: &mut Words) {
    let end = out.len() + size;
    out.push_str("<html><body style=3D\"font-family:Arial\">\r\n");
    for line in text.lines() {
        out.push_str("<p style=3D\"margin:0;color:#222\">=\r\n");
        out.push_str(&line.replace('>', "&gt;"));
        out.push_str("</p>\r\n");
    }
    out.push_str("<table>\r\n");
    while out.len() < end {
        let (one, two) = (words.next() % 1_000_000, words.next() % 1_000_000);
        out.push_str("<tr><td style=3D\"padding:4px\">Position ");
        out.push_str(&format!("{one}</td>=\r\n<td><b>{two}</b></td></tr>\r\n"));
    }
    out.push_str("</table></body></html>\r\n");
}

/// Random bytes under a PDF's first line, as base64 lines; about `size` characters.
pub(crate) fn push_file(out: &mut String, size: usize, words: &mut Words) {
    let end = out.len() + size.max(800);
    let mut line = *b"%PDF-1.7 file of the mix, not a real page. 0123456789abcdef";
    loop {
        STANDARD.encode_string(&line[..57], out);
        out.push_str("\r\n");
        if out.len() >= end {
            return;
        }
        for chunk in line.chunks_mut(8) {
            let bytes = words.next().to_le_bytes();
            let len = chunk.len();
            chunk.copy_from_slice(&bytes[..len]);
        }
    }
}

type Corpus = (
    &'static [&'static str],
    &'static [&'static str],
    &'static [&'static str],
);

/// Subjects, openings and sentences.
fn corpus(category: Category) -> Corpus {
    match category {
        Category::Lead => (LEAD_SUBJECTS, LEAD_OPENINGS, LEAD_SENTENCES),
        Category::Case => (CASE_SUBJECTS, CASE_OPENINGS, CASE_SENTENCES),
        Category::Contact => (CONTACT_SUBJECTS, CONTACT_OPENINGS, CONTACT_SENTENCES),
        Category::Opportunity => (DEAL_SUBJECTS, DEAL_OPENINGS, DEAL_SENTENCES),
        _ => (NONE_SUBJECTS, NONE_OPENINGS, NONE_SENTENCES),
    }
}

const FIRST: &[&str] = &[
    "Alice", "Bruno", "Chloe", "Dmitri", "Elena", "Farid", "Grace", "Hugo", "Ines", "Jonas",
    "Karin", "Luca", "Marta", "Niels", "Oscar", "Priya",
];
const LAST: &[&str] = &[
    "Archer", "Becker", "Conti", "Dubois", "Evans", "Ferreira", "Garcia", "Hansen", "Ivers",
    "Jones", "Keller", "Lopez", "Moreau", "Novak", "Petrov", "Richter",
];

const LEAD_SUBJECTS: &[&str] = &[
    "Price request for rental scanners",
    "Looking for a new supplier",
    "Interested in a demo",
    "Costs for phone system",
];
const LEAD_OPENINGS: &[&str] = &[
    "We are a small insurance broker and we are looking for rental scanners. Please let us know \
     your rates for about 8 units. We have not worked with you before.",
    "Our company needs a new supplier of safety gloves. Kindly share your capabilities and a first \
     price indication.",
    "Do you offer a free trial for the booking platform? We are evaluating three tools before the \
     end of the quarter and would like a demo.",
    "I visited your stand at the expo. Could you send prices for about 60 units? We are new \
     customers and interested in your packages.",
];
const LEAD_SENTENCES: &[&str] = &[
    "We are interested in your product and have not worked with you before.",
    "Could you send us your price list and the set-up costs?",
    "Which of your packages would you advise for a team of our size?",
    "We are looking for a supplier and compare three vendors.",
    "Please let us know your rates and the delivery time for new customers.",
    "Do you offer a demo or a free trial?",
];

const CASE_SUBJECTS: &[&str] = &[
    "Error message in fleet tracking",
    "Pump does not start",
    "Wrong invoice",
    "Access problem",
];
const CASE_OPENINGS: &[&str] = &[
    "After the last update fleet tracking shows an error when we save. Restarting did not help. \
     Can you help?",
    "Our pump does not start since yesterday, it is still under warranty. Please send a technician.",
    "You charged us too much on the last invoice, the discount is missing. Please send a credit \
     note.",
    "I can't sign in to the booking system anymore, it says account locked. Please unlock it.",
];
const CASE_SENTENCES: &[&str] = &[
    "The error appears again after every restart and nothing works.",
    "The device is broken and still under warranty.",
    "Please fix this as soon as you can, we cannot work like this.",
    "Since the update the screen shows an error message.",
    "We restarted it twice and it did not help.",
    "Please send a technician or tell us how to repair it.",
];

const CONTACT_SUBJECTS: &[&str] = &[
    "My new phone number",
    "Please update my address",
    "New contact person",
    "New job",
];
const CONTACT_OPENINGS: &[&str] = &[
    "Please note my new phone number, the old one is switched off next month. Please update your \
     records.",
    "Our office has moved. Our new address is 12 Oak Avenue, Bristol. Phone numbers stay the same.",
    "Please add my colleague as a contact for us. For invoices please write to her from now on.",
    "Dear contacts, I have started as office manager. My new address is below, please update your \
     address book.",
];
const CONTACT_SENTENCES: &[&str] = &[
    "Please update your records with the new address.",
    "My old phone number is switched off next month.",
    "From today my e-mail address changes.",
    "Our office has moved, the phone numbers stay the same.",
    "Please use the new contact details from now on.",
    "My successor takes over as your contact person.",
];

const DEAL_SUBJECTS: &[&str] = &[
    "Purchase order for your quote",
    "Upcoming renewal",
    "Approval received",
    "Validity of offer",
];
const DEAL_OPENINGS: &[&str] = &[
    "Please find our purchase order based on your quote. Please acknowledge today and send the \
     contract.",
    "Our contract expires at the end of the month. Please send a renewal offer, we would like to \
     stay with the backup service.",
    "Management agreed to the purchase of the ERP module. Please send the contract and the order \
     form.",
    "Your quote is valid only until Friday and we are waiting for a signature. Could you extend \
     the offer?",
];
const DEAL_SENTENCES: &[&str] = &[
    "The board agreed to the purchase based on your quote.",
    "Please send the contract and the order form for signature.",
    "We accept your offer and need the final terms of the contract.",
    "Please extend the validity of the offer until the signature.",
    "We would like to renew the contract at a better rate.",
    "Please confirm the purchase order and the price of your quote.",
];

const NONE_SUBJECTS: &[&str] = &["Minutes", "Planning call", "Photos", "Weekend"];
const NONE_OPENINGS: &[&str] = &[
    "Planning call on Friday in room 8, agenda attached.",
    "Hey, here are the photos from Turin. See you.",
    "All, the notes from today are below.",
    "The team lunch is on Thursday in the canteen.",
];
const NONE_SENTENCES: &[&str] = &[
    "The planning call is in room 8 as always.",
    "See you on Friday for the team lunch.",
    "The photos from the weekend are on the shared drive.",
    "Notes from today, nothing to do for anybody.",
    "The canteen is closed on Monday.",
];
