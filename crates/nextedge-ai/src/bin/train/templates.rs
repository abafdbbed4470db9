//! Expands mail templates written for this project into labelled rows.
//!
//! A template starts with `@ id Category urgency` and goes on to the next `@`. `from:` names the
//! kind of sender (`person`, `free` or a role such as `news`), `facts:` facts beside the text, then
//! `subject:` and the body. `[a|b|c]` is a choice, which may hold further choices; `<name>` and
//! the like are slots.

use nextedge_ai::dataset::Row;
use nextedge_core::{Category, Urgency};

use crate::random::{Random, stable_hash};

#[derive(Debug, Clone)]
struct Template {
    id: String,
    label: Category,
    urgency: Urgency,
    from: String,
    known: bool,
    subject: String,
    body: String,
}

/// Expands every template of a file `copies` times; the same file gives the same rows.
pub(crate) fn expand(text: &str, author: &str, copies: usize) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for block in text.split("\n@ ").skip(1) {
        let template = parse(block)?;
        for copy in 0..copies {
            rows.push(template.row(author, copy));
        }
    }
    Ok(rows)
}

fn parse(block: &str) -> Result<Template, String> {
    let (head, rest) = block.split_once('\n').unwrap_or((block, ""));
    let bad = |what: &str| format!("template `{head}`: {what}");
    let mut words = head.split_whitespace();
    let (Some(id), Some(label), Some(urgency)) = (words.next(), words.next(), words.next()) else {
        return Err(bad("write `@ id Category urgency`"));
    };
    let urgency = Urgency::ALL.into_iter().find(|u| u.as_str() == urgency);
    let mut template = Template {
        id: id.to_owned(),
        label: label.parse().map_err(|_| bad("unknown category"))?,
        urgency: urgency.ok_or_else(|| bad("unknown urgency"))?,
        from: "person".to_owned(),
        known: false,
        subject: String::new(),
        body: String::new(),
    };
    for line in rest.lines().filter(|l| !l.starts_with('#')) {
        if let Some(value) = line.strip_prefix("from:") {
            value.trim().clone_into(&mut template.from);
        } else if let Some(value) = line.strip_prefix("facts:") {
            template.known = value.contains("known");
        } else if let Some(value) = line.strip_prefix("subject:") {
            value.trim().clone_into(&mut template.subject);
        } else {
            template.body.push_str(line);
            template.body.push('\n');
        }
    }
    if template.body.trim().is_empty() {
        Err(bad("the body is empty"))
    } else {
        Ok(template)
    }
}

impl Template {
    fn row(&self, author: &str, copy: usize) -> Row {
        let mut random = Random::new(stable_hash(&format!("{}:{copy}", self.id)));
        let person = format!("{} {}", pick(FIRST, &mut random), pick(LAST, &mut random));
        let company = format!("{} {}", pick(COMPANY, &mut random), pick(FORM, &mut random));
        let mut filler = Filler {
            random,
            person,
            company,
        };
        let subject = filler.fill(&self.subject);
        let mut body = filler.fill(self.body.trim());
        body = filler.disturb(body);
        let mut row = Row::new(format!("{}-{copy}", self.id), subject, body);
        row.from = filler.sender(&self.from);
        row.label = Some(self.label);
        row.urgency = Some(self.urgency);
        row.source = format!("{author}:{}", self.id);
        row.signals.known_party = self.known && filler.random.chance(40);
        row
    }
}

struct Filler {
    random: Random,
    person: String,
    company: String,
}

impl Filler {
    fn fill(&mut self, text: &str) -> String {
        let chosen = self.choose(text);
        let mut out = String::new();
        let mut rest = chosen.as_str();
        while let Some(start) = rest.find('<') {
            out.push_str(&rest[..start]);
            let Some(end) = rest[start..].find('>') else {
                break;
            };
            let slot = self.slot(&rest[start + 1..start + end]);
            out.push_str(&slot);
            rest = &rest[start + end + 1..];
        }
        out.push_str(rest);
        out
    }

    /// Resolves choices from the innermost outwards.
    fn choose(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        while let Some(end) = text.find(']') {
            let Some(start) = text[..end].rfind('[') else {
                break;
            };
            let options: Vec<&str> = text[start + 1..end].split('|').collect();
            let option = options[self.random.below(options.len())].to_owned();
            text.replace_range(start..=end, &option);
        }
        text
    }

    fn slot(&mut self, name: &str) -> String {
        let first = |full: &str| full.split(' ').next().unwrap_or_default().to_owned();
        let random = &mut self.random;
        match name {
            "me" => self.person.clone(),
            "first" => first(&self.person),
            "company" => self.company.clone(),
            "name" => format!("{} {}", pick(FIRST, random), pick(LAST, random)),
            "given" => pick(FIRST, random).to_owned(),
            "other" => format!("{} {}", pick(COMPANY, random), pick(FORM, random)),
            "product" => pick(PRODUCT, random).to_owned(),
            "trade" => pick(TRADE, random).to_owned(),
            "city" => pick(CITY, random).to_owned(),
            "role" => pick(ROLE, random).to_owned(),
            "day" => pick(DAY, random).to_owned(),
            "month" => pick(MONTH, random).to_owned(),
            "n" => (2 + random.below(60)).to_string(),
            "big" => (1_000 + random.below(90_000)).to_string(),
            "ref" => format!("{}-{}", pick(PREFIX, random), 1_000 + random.below(90_000)),
            "phone" => format!(
                "+{} {} 555 {}",
                30 + random.below(20),
                10 + random.below(80),
                1_000 + random.below(8_999)
            ),
            "mail" => address(&self.person.clone(), &self.company.clone(), random),
            "mailof" => {
                let name = format!("{} {}", pick(FIRST, random), pick(LAST, random));
                address(&name, &self.company.clone(), random)
            }
            other => other.to_owned(),
        }
    }

    fn sender(&mut self, kind: &str) -> String {
        let random = &mut self.random;
        match kind {
            "person" if random.chance(20) => {
                format!("{} <{}@gmail.com>", self.person, joined(&self.person, "."))
            }
            "free" => format!("{} <{}@gmail.com>", self.person, joined(&self.person, "_")),
            "person" => format!(
                "{} <{}>",
                self.person,
                address(&self.person.clone(), &self.company.clone(), random)
            ),
            role => format!("{role}@{}.example", joined(&self.company, "")),
        }
    }

    /// Adds what real mail has: signatures, reply heads, typing errors, missing capitals.
    fn disturb(&mut self, mut body: String) -> String {
        if self.random.chance(12) {
            body = body.to_lowercase();
        }
        if self.random.chance(15) {
            let letters: Vec<usize> = body.char_indices().map(|(i, _)| i).collect();
            let at = letters[self.random.below(letters.len())];
            body.remove(at);
        }
        if self.random.chance(25) {
            let footer = self.fill(pick(FOOTER, &mut self.random.clone()));
            body.push_str("\n\n-- \n");
            body.push_str(&footer);
        }
        if self.random.chance(15) {
            body = body.replace("\n", " ");
        }
        body
    }
}

fn address(person: &str, company: &str, random: &mut Random) -> String {
    let separator = [".", "_", ""][random.below(3)];
    let ending = ["example", "example.com", "example.org", "example.net"][random.below(4)];
    format!(
        "{}@{}.{ending}",
        joined(person, separator),
        joined(company, "")
    )
}

fn joined(words: &str, separator: &str) -> String {
    let plain = words
        .to_lowercase()
        .split(' ')
        .collect::<Vec<_>>()
        .join(separator);
    plain
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_'))
        .collect()
}

fn pick(from: &'static [&'static str], random: &mut Random) -> &'static str {
    from[random.below(from.len())]
}

const FIRST: &[&str] = &[
    "Alice", "Bruno", "Chloe", "Dmitri", "Elena", "Farid", "Grace", "Hugo", "Ines", "Jonas",
    "Karin", "Luca", "Marta", "Niels", "Oscar", "Priya", "Quentin", "Rosa", "Stefan", "Tomás",
    "Ulrike", "Victor", "Wendy", "Yuki", "Zara",
];
const LAST: &[&str] = &[
    "Ahmed", "Becker", "Conti", "Dubois", "Evans", "Ferreira", "Garcia", "Hansen", "Ito", "Jones",
    "Kowalski", "Lopez", "Moreau", "Nguyen", "O'Brien", "Petrov", "Richter", "Santos", "Thompson",
    "Visser", "Weber", "Zanetti",
];
const COMPANY: &[&str] = &[
    "Amberfield",
    "Birch",
    "Calder",
    "Dovetail",
    "Elmstone",
    "Foxglove",
    "Glenmore",
    "Harbour",
    "Ironbridge",
    "Kingfisher",
    "Larkspur",
    "Meridian",
    "Northgate",
    "Oakhurst",
    "Pinecrest",
    "Riverside",
    "Silverline",
    "Thornton",
    "Valley",
    "Willow",
];
const FORM: &[&str] = &[
    "Ltd",
    "GmbH",
    "SA",
    "BV",
    "Inc",
    "AG",
    "SpA",
    "Group",
    "Engineering",
    "Foods",
    "Media",
    "Care",
];
const PRODUCT: &[&str] = &[
    "the scheduling software",
    "solar panels",
    "standing desks",
    "the booking platform",
    "water pumps",
    "label printers",
    "the CRM",
    "air purifiers",
    "the payroll tool",
    "conveyor belts",
    "coffee machines",
    "the inventory system",
    "LED lighting",
    "safety gloves",
    "the analytics module",
    "heat pumps",
    "door locks",
    "the chat widget",
    "barcode scanners",
    "cloud backup",
    "the learning portal",
    "packaging machines",
    "network switches",
    "filters",
];
const TRADE: &[&str] = &[
    "bakery",
    "law firm",
    "dental practice",
    "logistics company",
    "hotel",
    "school",
    "machine builder",
    "farm",
    "clinic",
    "retail chain",
    "brewery",
    "architecture office",
    "charity",
    "print shop",
    "garage",
    "online shop",
    "consultancy",
];
const CITY: &[&str] = &[
    "Lisbon", "Hamburg", "Lyon", "Bristol", "Utrecht", "Bologna", "Valencia", "Chicago", "Dublin",
    "Vienna", "Osaka", "Kraków", "Antwerp", "Leeds", "Porto", "Turin", "Toronto", "Zürich",
];
const ROLE: &[&str] = &[
    "head of purchasing",
    "office manager",
    "CEO",
    "IT manager",
    "operations lead",
    "founder",
    "facility manager",
    "finance director",
    "project engineer",
    "marketing manager",
];
const DAY: &[&str] = &[
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "the 14th",
    "the 3rd",
    "12 May",
    "30 June",
];
const MONTH: &[&str] = &[
    "January",
    "March",
    "April",
    "June",
    "September",
    "October",
    "December",
];
const PREFIX: &[&str] = &["A", "Q", "SO", "INV", "PO", "RF", "K"];
const FOOTER: &[&str] = &[
    "Sent from my phone",
    "<me>\n<role>, <company>\n<phone>",
    "<me> | <company> | <city>",
    "Get Outlook for iOS",
    "This e-mail is confidential. If you are not the addressee, please delete it.",
    "<company>, registered in <city>. Please think of the environment before printing this mail.",
];
