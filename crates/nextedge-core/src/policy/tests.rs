#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use super::*;
use crate::domain::{Category, FieldName, RecordKind};
use crate::sink::{FieldDescription, FieldKind, ObjectDescription, SinkDescription};

/// A policy that uses every kind of setting.
const WHOLE: &str = r#"
review_floor = 0.7

[categories.Lead]
threshold = 0.9

[categories.Opportunity]
enabled = false

[[rules]]
name = "web form"
when = [{ sender_domain = ["forms.example"] }, { subject_contains = ["enquiry"] }]
then = [{ set_category = "Lead" }, { set_priority = "high" }]
auto_write = true

[[rules]]
name = "lawyers"
when = [{ sender_address = ["law@firm.example"] }, { has_attachment = true }]
then = ["review"]

[screen]
colleagues = ["tom@us.example"]
agents = ["anna@us.example"]
private_labels = ["Personal"]

[authenticity.trusted]
"sales@us.example" = ["mx.us.example"]

[priority.hours]
zone = "Europe/Berlin"
days = ["mon", "tue"]
from = "08:30"
to = "24:00"
holidays = ["2026-12-25"]

[assignment.territory]
otherwise = "9"
territories = [{ owner = "17", countries = ["de"] }]
"#;

#[test]
fn the_default_policy_looks_like_this() {
    let text = Policy::default().to_toml().unwrap();
    insta::assert_snapshot!("default_policy", text);
    assert_eq!(Policy::from_toml(&text).unwrap(), Policy::default());
}

#[test]
fn every_setting_survives_being_written_and_read() {
    let policy = Policy::from_toml(WHOLE).unwrap();
    assert_eq!(policy.rules.len(), 2);
    assert!(!policy.category(Category::Opportunity).enabled);
    assert_eq!(policy.threshold(Category::Case).get(), 0.8);
    let again = Policy::from_toml(&policy.to_toml().unwrap()).unwrap();
    assert_eq!(again, policy);
    let json = serde_json::to_string(&policy).unwrap();
    assert_eq!(serde_json::from_str::<Policy>(&json).unwrap(), policy);
    assert_eq!(Policy::from_toml("").unwrap(), Policy::default());
}

#[test]
fn a_wrong_policy_names_field_line_and_remedy() {
    for (text, field, line, remedy) in [
        (
            "reviw_floor = 0.7",
            "reviw_floor",
            "1",
            "write `review_floor` instead of `reviw_floor`",
        ),
        (
            "\n[categories.Lead]\ntreshold = 0.9",
            "categories.Lead.treshold",
            "3",
            "write `threshold` instead of `treshold`",
        ),
        (
            "[categories.Leed]",
            "categories.Leed",
            "1",
            "write `Lead` instead of `Leed`",
        ),
        (
            "[priority]\nurgent_from = \"critcal\"",
            "priority.urgent_from",
            "2",
            "write `critical` instead of `critcal`",
        ),
        (
            "[categories.Lead]\nthreshold = \"high\"",
            "categories.Lead.threshold",
            "2",
            "write a number such as 0.8",
        ),
        (
            "[categories.Lead]\nthreshold = 1.5",
            "categories.Lead.threshold",
            "2",
            "write a number between 0 and 1",
        ),
        (
            "[priority.hours]\nfrom = \"9\"",
            "priority.hours.from",
            "2",
            "write hours and minutes as `09:30`",
        ),
        (
            "[[rules]]\nname = \"a\"\nwhen = [{ has_attachment = true }]",
            "rules.then",
            "1",
            "add `then = …`",
        ),
        (
            "[[rules]]\nname = \"a\"\nwhen = [{ sender_domian = [\"a\"] }]\nthen = [\"park\"]",
            "rules.when",
            "3",
            "write `sender_domain` instead of `sender_domian`",
        ),
        (
            "[[rules]]\nname = \"a\"\nwhen = [{ sender_address = [\"nobody\"] }]\nthen = [\"park\"]",
            "rules.when",
            "3",
            "write an address such as `ada@example.com`",
        ),
        (
            "[priority.hours]\nzone = \"Europe/Berln\"",
            "priority.hours.zone",
            "2",
            "write an IANA time zone",
        ),
        (
            "[priority.hours]\nholidays = [\"christmas\"]",
            "priority.hours.holidays",
            "2",
            "write a date",
        ),
        (
            "[screen]\npersonal_marker = \"yes\"",
            "screen.personal_marker",
            "2",
            "write `true` or `false`",
        ),
        (
            "[screen]\nprivate_labels = \"Personal\"",
            "screen.private_labels",
            "2",
            "write a list in brackets",
        ),
        ("a = 1\na = 2", "a", "2", "a field stands twice"),
        ("x", "", "1", ""),
    ] {
        let error = Policy::from_toml(text).unwrap_err();
        let shown = format!("{error} → {:?}", error.action());
        assert_eq!(error.context("line"), Some(line), "{text}: {shown}");
        assert!(
            error.context("field").unwrap().contains(field),
            "{text}: {shown}"
        );
        let all = format!(
            "{} {} {shown}",
            error.message(),
            error.action().unwrap_or_default()
        );
        assert!(all.contains(remedy), "{text}: {shown}");
    }
}

#[test]
fn a_policy_that_contradicts_itself_is_refused_with_its_place() {
    for (text, field, line) in [
        (
            "[categories.Case]\nthreshold = 0.5",
            "categories.Case.threshold",
            Some("2"),
        ),
        (
            "[[rules]]\nname = \"a\"\nwhen = []\nthen = [\"park\"]",
            "rules[0].when",
            Some("3"),
        ),
        (
            "[[rules]]\nname = \"a\"\nwhen = [{ has_attachment = true }]\nthen = []",
            "rules[0].then",
            Some("4"),
        ),
        (
            "[[rules]]\nname = \"a\"\nwhen = [{ text_contains = [\" \"] }]\nthen = [\"park\"]",
            "rules[0].when",
            Some("3"),
        ),
        (
            "[[rules]]\nname = \"a\"\nwhen = [{ has_attachment = true }]\nthen = [\"park\"]\nauto_write = true",
            "rules[0].auto_write",
            Some("5"),
        ),
        (
            "[[rules]]\nname = \"a\"\nwhen = [{ has_attachment = true }]\nthen = [\"park\"]\n[[rules]]\nname = \"a\"\nwhen = [{ has_attachment = true }]\nthen = [\"park\"]",
            "rules[1].name",
            Some("6"),
        ),
        ("[score]\nhot = 10", "score.hot", Some("2")),
        (
            "[priority.hours]\nfrom = \"18:00\"",
            "priority.hours.to",
            None,
        ),
        (
            "[assignment.round_robin]\nowners = []",
            "assignment.round_robin.owners",
            Some("2"),
        ),
        (
            "[retention]\nbodies_days = 91",
            "retention.bodies_days",
            Some("2"),
        ),
    ] {
        let error = Policy::from_toml(text).unwrap_err();
        assert_eq!(error.context("field"), Some(field), "{text}: {error}");
        if line.is_some() {
            assert_eq!(error.context("line"), line, "{text}: {error}");
        }
        assert!(error.action().is_some());
    }
}

const MAP: &str = r#"
[contact]
email = "{{ sender.email }}"

[categories.Lead]
kind = "lead"
known_party = "review"

[categories.Lead.fields]
name = "{{ subject }}"
stage = "new"

[categories.Case]
kind = { custom = "incident" }

[priorities]
high = "HIGH"
"#;

#[test]
fn field_maps_survive_being_written_and_read_and_name_what_is_wrong() {
    let map = FieldMap::from_toml(MAP).unwrap();
    assert_eq!(
        map.categories[&Category::Case].kind,
        RecordKind::Custom("incident".to_owned())
    );
    assert_eq!(FieldMap::from_toml(&map.to_toml().unwrap()).unwrap(), map);
    for (text, line, remedy) in [
        ("[contcat]\n", "1", "write `contact` instead of `contcat`"),
        (
            "[categories.Lead]\nkind = \"leed\"",
            "2",
            "write `lead` instead of `leed`",
        ),
        (
            "[categories.Lead]\nkind = \"lead\"\nfeilds = 1",
            "3",
            "write `fields` instead of `feilds`",
        ),
        ("[categories.Lead]\n", "1", "add `kind = …`"),
    ] {
        let error = FieldMap::from_toml(text).unwrap_err();
        assert_eq!(error.context("line"), Some(line), "{text}: {error}");
        assert_eq!(error.action(), Some(remedy), "{text}: {error}");
    }
}

fn account() -> SinkDescription {
    let field = |name: &str, kind: FieldKind, writable: bool, required: bool| FieldDescription {
        name: FieldName::new(name),
        kind,
        writable,
        required,
    };
    let text = |max_chars| FieldKind::Text { max_chars };
    let stages = FieldKind::Choice {
        values: vec!["new".to_owned(), "working".to_owned()],
    };
    let object = |kind, fields| ObjectDescription {
        vendor_name: format!("vendor {kind}"),
        kind,
        fields,
    };
    SinkDescription {
        objects: vec![
            object(
                RecordKind::Contact,
                vec![field("email", text(255), true, true)],
            ),
            object(
                RecordKind::Lead,
                vec![
                    field("name", text(80), true, true),
                    field("stage", stages, true, false),
                    field("created", FieldKind::Time, false, false),
                ],
            ),
            object(RecordKind::Custom("incident".to_owned()), Vec::new()),
        ],
        default_map: FieldMap::default(),
    }
}

#[test]
fn a_fitting_map_passes_and_gets_the_accounts_lengths() {
    let mut map = FieldMap::from_toml(MAP).unwrap();
    map.lengths = BTreeMap::from([
        ("contact.email".to_owned(), 100),
        ("lead.name".to_owned(), 500),
    ]);
    let checked = preflight(&map, &account()).unwrap();
    assert_eq!(
        checked.lengths["contact.email"], 100,
        "a shorter wish stays"
    );
    assert_eq!(checked.lengths["lead.name"], 80);
}

#[test]
fn the_preflight_names_every_fault_at_once() {
    let change = |map: &mut FieldMap, name: &str, template: &str| {
        let lead = map.categories.get_mut(&Category::Lead).unwrap();
        lead.fields
            .insert(FieldName::new(name), Template::from(template));
    };
    let mut map = FieldMap::from_toml(MAP).unwrap();
    change(&mut map, "stgae", "new");
    change(&mut map, "created", "{{ sent_at }}");
    change(&mut map, "stage", "nwe");
    map.categories
        .get_mut(&Category::Lead)
        .unwrap()
        .fields
        .remove(&FieldName::new("name"));
    map.categories.get_mut(&Category::Case).unwrap().kind =
        RecordKind::Custom("incidnet".to_owned());
    map.company.insert(
        FieldName::new("domain"),
        Template::from("{{ company.domian }}"),
    );
    let faults = preflight(&map, &account()).unwrap_err();
    let shown: Vec<String> = faults.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!("preflight_faults", shown.join("\n"));
}
