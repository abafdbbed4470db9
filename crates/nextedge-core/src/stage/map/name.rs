//! First and last names, carefully: what cannot be told apart is not invented.

/// A person's name in two parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct PersonName {
    /// Given names; may be empty.
    pub first: String,
    /// Family name, with its particles; holds the whole name where it cannot be divided.
    pub last: String,
}

impl PersonName {
    /// Returns both parts in the order of a sentence.
    pub fn whole(&self) -> String {
        match (self.first.as_str(), self.last.as_str()) {
            ("", last) => last.to_owned(),
            (first, "") => first.to_owned(),
            (first, last) => format!("{first} {last}"),
        }
    }

    /// Tells whether it looks like a person's name and not like that of a team or a shop.
    pub fn is_person(&self) -> bool {
        let team = |word: &str| TEAM_WORDS.contains(&word.to_lowercase().as_str());
        let whole = self.whole();
        !whole.is_empty() && !whole.contains('@') && !whole.split_whitespace().any(team)
    }
}

/// Divides a display name: `Nair, Priya`, `Jan van der Berg`, `田中 太郎`.
pub fn split_name(name: &str) -> PersonName {
    let name = name.trim().trim_matches(['"', '\'']).trim();
    let name = name
        .split(['(', '|', '/'])
        .next()
        .unwrap_or_default()
        .trim();
    if name.contains('@') {
        return PersonName::default();
    }
    if let Some((last, first)) = name.split_once(',') {
        return PersonName {
            first: first.trim().to_owned(),
            last: last.trim().to_owned(),
        };
    }
    let words: Vec<&str> = name.split_whitespace().collect();
    let Some((last, before)) = words.split_last() else {
        return PersonName::default();
    };
    if is_cjk(name) {
        // Family name first; without a space it cannot be divided.
        let (family, given) = words
            .split_first()
            .map_or(("", &words[..]), |(f, g)| (*f, g));
        return PersonName {
            first: given.join(" "),
            last: family.to_owned(),
        };
    }
    let particles = before
        .iter()
        .skip(1)
        .position(|word| PARTICLES.contains(&word.to_lowercase().as_str()));
    let divide = particles.map_or(before.len(), |at| at + 1);
    let family: Vec<&str> = before[divide..].iter().chain([last]).copied().collect();
    PersonName {
        first: before[..divide].join(" "),
        last: family.join(" "),
    }
}

fn is_cjk(name: &str) -> bool {
    name.chars()
        .any(|c| matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}'))
}

const PARTICLES: &[&str] = &[
    "van", "von", "vom", "zu", "zur", "de", "del", "della", "di", "da", "dos", "das", "du", "des",
    "der", "den", "ter", "ten", "le", "la", "bin", "ibn", "al", "el", "y",
];

const TEAM_WORDS: &[&str] = &[
    "team",
    "sales",
    "support",
    "info",
    "service",
    "office",
    "website",
    "shop",
    "store",
    "webshop",
    "kundenservice",
    "vertrieb",
    "accounts",
    "accounting",
    "billing",
    "purchasing",
    "einkauf",
    "contact",
    "admin",
    "helpdesk",
    "marketing",
    "webform",
    "form",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_divided_where_that_is_safe() {
        for (name, first, last) in [
            ("Ada Lovelace", "Ada", "Lovelace"),
            ("Lovelace, Ada", "Ada", "Lovelace"),
            ("Jan van der Berg", "Jan", "van der Berg"),
            ("Maria José da Silva", "Maria José", "da Silva"),
            ("von Braun", "von", "Braun"),
            ("Cher", "", "Cher"),
            ("田中 太郎", "太郎", "田中"),
            ("田中太郎", "", "田中太郎"),
            ("\"Ada Lovelace (Acme)\"", "Ada", "Lovelace"),
            ("ada@example.com", "", ""),
            ("", "", ""),
        ] {
            let split = split_name(name);
            assert_eq!(
                (split.first.as_str(), split.last.as_str()),
                (first, last),
                "{name}"
            );
        }
    }
}
