//! Names, companies and titles in forms and signatures.

use crate::classify::{ContactField, ExtractedField};
use crate::domain::Mailer;
use crate::stage::text::first_phrase;

/// Reads `Label: value` lines, as web forms write them.
pub(super) fn form_fields(text: &str) -> Vec<ExtractedField> {
    let mut found = Vec::new();
    for line in lines(text).take(MAX_FORM_LINES) {
        let Some((label, value)) = line.text.split_once([':', '：']) else {
            continue;
        };
        let label = label
            .trim()
            .trim_start_matches(['*', '-', '•'])
            .trim()
            .to_lowercase();
        let value = value.trim();
        let known = FORM_LABELS
            .iter()
            .find(|(_, labels)| labels.contains(&label.as_str()));
        if let Some((field, _)) = known
            && is_value(value)
        {
            found.push(line.field(*field, value, 0.95));
        }
    }
    found
}

/// Reads the lines around the sender's name at the end of the text.
pub(super) fn signature_fields(sender: &Mailer, text: &str) -> Vec<ExtractedField> {
    let all: Vec<Line<'_>> = lines(text)
        .filter(|line| !line.text.trim().is_empty())
        .collect();
    let all = &all[all.len().saturating_sub(MAX_END_LINES)..];
    let Some(at) = name_line(all, sender) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let first = all[at].text.trim();
    let (name, rest) = match first.split_once([',', '|', '–']) {
        Some((name, rest)) => (name.trim(), rest.trim()),
        None => (first, ""),
    };
    found.push(all[at].field(ContactField::Name, name, 0.85));
    if !rest.is_empty() {
        found.extend(describe(&all[at], rest, sender));
    }
    for line in all.iter().skip(at + 1).take(MAX_SIGNATURE_LINES) {
        found.extend(describe(line, line.text.trim(), sender));
    }
    found
}

/// A signature begins with the sender's name, or with the line after a closing formula.
fn name_line(lines: &[Line<'_>], sender: &Mailer) -> Option<usize> {
    let wanted = sender.name.to_lowercase();
    let by_name = lines.iter().rposition(|line| {
        let text = line.text.trim().to_lowercase();
        !wanted.is_empty() && text.starts_with(&wanted) && text.chars().count() <= MAX_LINE_CHARS
    });
    by_name.or_else(|| {
        let closing = lines.iter().rposition(|line| is_closing(line.text))?;
        let name = lines.get(closing + 1)?;
        looks_like_name(name.text.trim()).then_some(closing + 1)
    })
}

fn is_closing(line: &str) -> bool {
    let line = line.trim().trim_end_matches([',', '.', '!']).to_lowercase();
    line.chars().count() <= 40 && CLOSINGS.iter().any(|closing| line.starts_with(closing))
}

fn looks_like_name(text: &str) -> bool {
    let words: Vec<&str> = text
        .split([',', '|'])
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let capital = |word: &&str| {
        let first = word.chars().next();
        first.is_some_and(|c| c.is_uppercase() || (c.is_alphabetic() && !c.is_lowercase()))
    };
    (1..=4).contains(&words.len())
        && words.iter().filter(|word| capital(word)).count() * 2 >= words.len()
        && !text.contains(['@', '/', ':'])
        && !text.chars().any(|c| c.is_ascii_digit())
}

/// Says what a piece of a signature is: a title, a company, or both divided by a comma.
fn describe(line: &Line<'_>, text: &str, sender: &Mailer) -> Vec<ExtractedField> {
    let mut found = Vec::new();
    for piece in text.split([',', '|', '–', '·', '•', ';']).map(str::trim) {
        if !is_value(piece) || piece.contains(['@', ':']) || piece.chars().count() > 60 {
            continue;
        }
        if is_company(piece, sender) {
            found.push(line.field(ContactField::Company, piece, 0.8));
        } else if first_phrase(&piece.to_lowercase(), TITLES.iter().copied()).is_some() {
            found.push(line.field(ContactField::Title, piece, 0.8));
        }
    }
    found
}

fn is_company(text: &str, sender: &Mailer) -> bool {
    let lower = text.to_lowercase();
    let words = lower
        .split([' ', '('])
        .map(|word| word.trim_matches(['.', ',', ')']));
    let legal = words
        .clone()
        .next_back()
        .is_some_and(|last| LEGAL_FORMS.contains(&last))
        || lower.contains("株式会社")
        || lower.contains("有限公司")
        || LEGAL_PHRASES.iter().any(|form| lower.ends_with(form));
    legal || is_like_domain(&lower, sender)
}

/// `Whitmore Joinery` of `whitmore-joinery.example`.
fn is_like_domain(lower: &str, sender: &Mailer) -> bool {
    let domain = sender.address.domain();
    if domain.is_free_mail() {
        return false;
    }
    let domain = domain.registrable();
    let label: String = domain
        .as_str()
        .split('.')
        .next()
        .unwrap_or_default()
        .chars()
        .filter(|c| c.is_alphanumeric())
        .collect();
    let text: String = lower
        .chars()
        .filter(|c| c.is_alphanumeric())
        .map(plain_letter)
        .collect();
    label.len() >= 4 && (text == label || (text.len() >= 6 && text.starts_with(&label)))
}

fn plain_letter(c: char) -> char {
    match c {
        'á' | 'à' | 'â' | 'ã' | 'ä' | 'å' => 'a',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'í' | 'ì' | 'î' | 'ï' => 'i',
        'ó' | 'ò' | 'ô' | 'õ' | 'ö' | 'ø' => 'o',
        'ú' | 'ù' | 'û' | 'ü' => 'u',
        'ç' => 'c',
        'ñ' => 'n',
        other => other,
    }
}

fn is_value(text: &str) -> bool {
    let chars = text.chars().count();
    (2..=100).contains(&chars) && text.chars().any(char::is_alphanumeric)
}

/// A line with its place in the text.
struct Line<'a> {
    text: &'a str,
    at: usize,
}

impl Line<'_> {
    fn field(&self, field: ContactField, value: &str, confidence: f64) -> ExtractedField {
        let start = self.text.find(value).map(|inside| self.at + inside);
        ExtractedField {
            field,
            value: value.to_owned(),
            span: start.map(|start| start..start + value.len()),
            confidence,
        }
    }
}

fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut at = 0;
    text.split_inclusive('\n').map(move |line| {
        let here = Line {
            text: line.trim_end_matches(['\n', '\r']),
            at,
        };
        at += line.len();
        here
    })
}

const MAX_FORM_LINES: usize = 200;
const MAX_END_LINES: usize = 30;
const MAX_SIGNATURE_LINES: usize = 6;
const MAX_LINE_CHARS: usize = 100;

const FORM_LABELS: &[(ContactField, &[&str])] = &[
    (
        ContactField::Name,
        &[
            "name",
            "full name",
            "your name",
            "contact name",
            "vor- und nachname",
            "nom",
            "nom complet",
            "nombre",
            "nome",
            "naam",
            "氏名",
            "お名前",
        ],
    ),
    (
        ContactField::Company,
        &[
            "company",
            "company name",
            "organisation",
            "organization",
            "firma",
            "unternehmen",
            "société",
            "entreprise",
            "empresa",
            "azienda",
            "ditta",
            "bedrijf",
            "会社名",
            "貴社名",
        ],
    ),
    (
        ContactField::Title,
        &[
            "title",
            "job title",
            "position",
            "role",
            "funktion",
            "fonction",
            "poste",
            "cargo",
            "puesto",
            "ruolo",
            "função",
            "functie",
            "役職",
        ],
    ),
];

const CLOSINGS: &[&str] = &[
    "best",
    "kind regards",
    "regards",
    "best regards",
    "warm regards",
    "yours",
    "sincerely",
    "thanks",
    "thank you",
    "many thanks",
    "cheers",
    "mit freundlichen",
    "freundliche grüße",
    "viele grüße",
    "beste grüße",
    "liebe grüße",
    "mfg",
    "cordialement",
    "bien à vous",
    "salutations",
    "merci",
    "saludos",
    "un saludo",
    "atentamente",
    "gracias",
    "cordiali saluti",
    "distinti saluti",
    "saluti",
    "grazie",
    "cumprimentos",
    "com os melhores",
    "atenciosamente",
    "obrigado",
    "obrigada",
    "met vriendelijke",
    "vriendelijke groet",
    "groeten",
    "よろしくお願い",
    "以上",
];

const LEGAL_FORMS: &[&str] = &[
    "ltd",
    "limited",
    "llc",
    "inc",
    "corp",
    "corporation",
    "plc",
    "llp",
    "co",
    "gmbh",
    "ag",
    "kg",
    "ug",
    "ohg",
    "se",
    "mbh",
    "sa",
    "sarl",
    "sas",
    "sasu",
    "eurl",
    "sl",
    "slu",
    "srl",
    "spa",
    "snc",
    "lda",
    "ltda",
    "bv",
    "nv",
    "vof",
    "ab",
    "as",
    "oy",
    "a/s",
    "aps",
    "kk",
    "pty",
    "sp.z.o.o",
];
const LEGAL_PHRASES: &[&str] = &[
    "s.l.",
    "s.a.",
    "s.r.l.",
    "s.p.a.",
    "b.v.",
    "n.v.",
    "k.k.",
    "& co. kg",
    "sp. z o.o.",
];

const TITLES: &[&str] = &[
    "manager",
    "director",
    "engineer",
    "head of",
    "officer",
    "ceo",
    "cto",
    "cfo",
    "coo",
    "founder",
    "owner",
    "president",
    "assistant",
    "consultant",
    "buyer",
    "purchasing",
    "procurement",
    "sales",
    "accountant",
    "secretary",
    "supervisor",
    "technician",
    "lead",
    "specialist",
    "coordinator",
    "administrator",
    "architect",
    "developer",
    "analyst",
    "partner",
    "geschäftsführer",
    "geschäftsführerin",
    "leiter",
    "leiterin",
    "leitung",
    "einkauf",
    "einkäufer",
    "ingenieur",
    "inhaber",
    "inhaberin",
    "vertrieb",
    "buchhaltung",
    "sachbearbeiter",
    "meister",
    "betriebsleiter",
    "technischer leiter",
    "einkaufsleiter",
    "produktionsleiter",
    "werkleiter",
    "directeur",
    "directrice",
    "responsable",
    "gérant",
    "gérante",
    "ingénieur",
    "acheteur",
    "comptable",
    "chef de",
    "directora",
    "gerente",
    "jefe de",
    "jefa de",
    "ingeniero",
    "ingeniera",
    "compras",
    "propietario",
    "direttore",
    "direttrice",
    "responsabile",
    "titolare",
    "ingegnere",
    "ufficio acquisti",
    "diretor",
    "diretora",
    "engenheiro",
    "engenheira",
    "proprietário",
    "eigenaar",
    "bedrijfsleider",
    "inkoper",
    "hoofd",
    "部長",
    "課長",
    "社長",
    "担当",
];
