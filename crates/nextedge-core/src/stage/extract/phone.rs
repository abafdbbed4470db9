//! Phone numbers, by a heuristic around E.164.

use crate::classify::{ContactField, ExtractedField};
use crate::stage::text::tail_bytes;

/// Finds phone numbers: international ones anywhere, others only behind a word for phone.
pub fn find_phones(text: &str) -> Vec<ExtractedField> {
    let mut found = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        in_line(line, at, &mut found);
        at += line.len();
        if found.len() >= MAX_PHONES {
            break;
        }
    }
    found
}

/// Returns a number with `+` and digits only, or the digits of a national number.
pub fn normalised_phone(value: &str) -> String {
    let value = value.replace("(0)", "");
    let plus = value.trim_start().starts_with(['+', '＋']);
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    match digits.strip_prefix("00") {
        Some(rest) if !plus => format!("+{rest}"),
        _ if plus => format!("+{digits}"),
        _ => digits,
    }
}

fn in_line(line: &str, offset: usize, found: &mut Vec<ExtractedField>) {
    let mut at = 0;
    while let Some(start) = line[at..].find(|c: char| c == '+' || c == '(' || c.is_ascii_digit()) {
        let start = at + start;
        let end = start + number_length(&line[start..]);
        let value = line[start..end].trim_end_matches(|c: char| !c.is_ascii_digit());
        at = end.max(start + 1);
        if value.bytes().filter(u8::is_ascii_digit).count() < MIN_DIGITS {
            continue;
        }
        let label = Label::before(&line[..start]);
        if is_phone(value, label) && !touches_word(&line[..start], &line[start + value.len()..]) {
            let begin = offset + start;
            found.push(ExtractedField {
                field: ContactField::Phone,
                value: value.to_owned(),
                span: Some(begin..begin + value.len()),
                confidence: if label == Label::Phone { 0.9 } else { 0.8 },
            });
        }
    }
}

/// Counts the bytes that can belong to one number.
fn number_length(text: &str) -> usize {
    let belongs = |c: char| {
        c.is_ascii_digit() || matches!(c, '+' | '(' | ')' | ' ' | '-' | '/' | '.' | '\u{a0}')
    };
    let mut end = text.find(|c: char| !belongs(c)).unwrap_or(text.len());
    if let Some(second) = text[1..end].find('+') {
        end = second + 1;
    }
    if let Some(gap) = text[..end].find("  ") {
        end = gap;
    }
    end
}

fn is_phone(value: &str, label: Label) -> bool {
    let digits = value.chars().filter(char::is_ascii_digit).count();
    let international = value.starts_with('+') || value.starts_with("00");
    match label {
        Label::Fax => false,
        Label::Phone => (MIN_DIGITS..=15).contains(&digits),
        Label::None => international && (8..=15).contains(&digits),
    }
}

fn touches_word(before: &str, after: &str) -> bool {
    let ends = before
        .chars()
        .next_back()
        .is_some_and(|c| c.is_alphanumeric() || c == '_');
    let goes_on = after
        .chars()
        .next()
        .is_some_and(|c| c.is_alphanumeric() || c == '@');
    ends || goes_on
}

/// The word before a number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Label {
    Phone,
    Fax,
    None,
}

impl Label {
    fn before(text: &str) -> Self {
        // Only the words since the last number or separator say what this number is.
        let since = tail_bytes(text, LABEL_BYTES)
            .rsplit(['|', ';', '·', '•', ','])
            .next()
            .unwrap_or_default();
        let words: Vec<String> = since
            .split(|c: char| !c.is_alphabetic())
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        let last = words.iter().rev().take(3);
        let mut last = last.map(String::as_str);
        match last.find(|word| FAX.contains(word) || PHONE.contains(word) || is_cjk_phone(word)) {
            Some(word) if FAX.contains(&word) => Self::Fax,
            Some(_) => Self::Phone,
            None => Self::None,
        }
    }
}

fn is_cjk_phone(word: &str) -> bool {
    word.contains("電話") || word.contains("电话") || word.contains("携帯") || word.contains("手机")
}

/// Fewer digits are no phone number.
const MIN_DIGITS: usize = 6;
/// A label stands right before its number.
const LABEL_BYTES: usize = 60;
/// Numbers that are looked for at most.
const MAX_PHONES: usize = 5;

const FAX: &[&str] = &["fax", "telefax", "télécopie", "f"];
const PHONE: &[&str] = &[
    "phone",
    "tel",
    "telephone",
    "mobile",
    "mob",
    "cell",
    "direct",
    "call",
    "t",
    "m",
    "ph",
    "dial",
    "telefon",
    "fon",
    "handy",
    "mobil",
    "durchwahl",
    "rufnummer",
    "tél",
    "téléphone",
    "portable",
    "teléfono",
    "telefono",
    "móvil",
    "movil",
    "cellulare",
    "cell",
    "telefone",
    "telemóvel",
    "celular",
    "telefoon",
    "mobiel",
    "gsm",
    "numéro",
    "número",
    "numero",
    "nummer",
    "number",
    "тел",
    "телефон",
];
