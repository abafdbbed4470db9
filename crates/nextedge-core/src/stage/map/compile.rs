//! A field map with its templates parsed once.

use std::collections::BTreeMap;
use std::fmt;

use minijinja::Environment;

use super::template::{Compiled, compile, new_environment};
use super::values::{Scope, Values};
use crate::domain::{Category, FieldName, Priority, RecordKind};
use crate::error::Result;
use crate::policy::{CategoryMap, FieldMap, KnownParty, Template};

/// A field map with its templates parsed once; make one for each version and share it.
pub struct CompiledMap {
    environment: Environment<'static>,
    pub(super) contact: Fields,
    pub(super) company: Fields,
    pub(super) activity: Fields,
    categories: BTreeMap<Category, CompiledCategory>,
    priorities: BTreeMap<Priority, String>,
    lengths: BTreeMap<RecordKind, BTreeMap<FieldName, usize>>,
}

/// The fields of one draft in the CRM's order of names.
pub(super) type Fields = Vec<CompiledField>;

/// One field with its template.
pub(super) struct CompiledField {
    pub(super) name: FieldName,
    /// Where it stands in the map, for errors.
    pub(super) place: String,
    template: Compiled,
}

/// What one category creates.
pub(super) struct CompiledCategory {
    pub(super) kind: RecordKind,
    pub(super) fields: Fields,
    pub(super) known_party: CompiledKnownParty,
    pub(super) contact: Fields,
    pub(super) on_reply: Fields,
}

/// What to do if the CRM already knows the sender.
pub(super) enum CompiledKnownParty {
    Same,
    Instead(Box<CompiledCategory>),
    ActivityOnly,
    Review,
}

impl CompiledMap {
    /// Parses every template.
    ///
    /// # Errors
    ///
    /// Kind `Config`; the context names the `field`, the action says what to write instead.
    pub fn new(map: &FieldMap) -> Result<Self> {
        let mut compiler = Compiler {
            environment: new_environment(),
        };
        let contact = compiler.fields("contact", &map.contact)?;
        let company = compiler.fields("company", &map.company)?;
        let activity = compiler.fields("activity", &map.activity)?;
        let mut categories = BTreeMap::new();
        for (category, settings) in &map.categories {
            let place = format!("categories.{category}");
            categories.insert(*category, compiler.category(&place, settings, 0)?);
        }
        Ok(Self {
            environment: compiler.environment,
            contact,
            company,
            activity,
            categories,
            priorities: map.priorities.clone(),
            lengths: lengths(map),
        })
    }

    pub(super) fn category(&self, category: Category) -> Option<&CompiledCategory> {
        self.categories.get(&category)
    }

    pub(super) fn priority(&self, priority: Priority) -> &str {
        self.priorities
            .get(&priority)
            .map_or(priority.as_str(), String::as_str)
    }

    pub(super) fn length(&self, kind: &RecordKind, name: &FieldName) -> Option<usize> {
        self.lengths.get(kind)?.get(name).copied()
    }

    pub(super) fn render<'v>(
        &'v self,
        field: &'v CompiledField,
        values: &'v Values<'_>,
        scope: Scope,
    ) -> Result<std::borrow::Cow<'v, str>> {
        let rendered = field.template.render(&self.environment, values, scope);
        rendered.map_err(|error| error.with_context("field", &field.place))
    }
}

impl fmt::Debug for CompiledMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompiledMap")
            .field("categories", &self.categories.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Sorts `kind.field` by kind, so that a look-up needs no text.
fn lengths(map: &FieldMap) -> BTreeMap<RecordKind, BTreeMap<FieldName, usize>> {
    let mut lengths: BTreeMap<RecordKind, BTreeMap<FieldName, usize>> = BTreeMap::new();
    for (place, length) in &map.lengths {
        if let Some((kind, field)) = place.split_once('.') {
            let fields = lengths.entry(kind_of(kind)).or_default();
            fields.insert(FieldName::new(field), *length);
        }
    }
    lengths
}

fn kind_of(name: &str) -> RecordKind {
    match name {
        "contact" => RecordKind::Contact,
        "company" => RecordKind::Company,
        "lead" => RecordKind::Lead,
        "case" => RecordKind::Case,
        "opportunity" => RecordKind::Opportunity,
        "activity" => RecordKind::Activity,
        "note" => RecordKind::Note,
        "file" => RecordKind::File,
        other => RecordKind::Custom(other.to_owned()),
    }
}

struct Compiler {
    environment: Environment<'static>,
}

impl Compiler {
    fn fields(&mut self, place: &str, fields: &BTreeMap<FieldName, Template>) -> Result<Fields> {
        let mut compiled = Vec::with_capacity(fields.len());
        for (name, template) in fields {
            let place = format!("{place}.{name}");
            let template = compile(&mut self.environment, &place, template)
                .map_err(|error| error.with_context("field", &place))?;
            compiled.push(CompiledField {
                name: name.clone(),
                place,
                template,
            });
        }
        Ok(compiled)
    }

    fn category(
        &mut self,
        place: &str,
        settings: &CategoryMap,
        depth: usize,
    ) -> Result<CompiledCategory> {
        Ok(CompiledCategory {
            kind: settings.kind.clone(),
            fields: self.fields(&format!("{place}.fields"), &settings.fields)?,
            contact: self.fields(&format!("{place}.contact"), &settings.contact)?,
            on_reply: self.fields(&format!("{place}.on_reply"), &settings.on_reply)?,
            known_party: match &settings.known_party {
                KnownParty::Same => CompiledKnownParty::Same,
                KnownParty::ActivityOnly => CompiledKnownParty::ActivityOnly,
                KnownParty::Review => CompiledKnownParty::Review,
                // The CRM's knowledge of the sender is asked once: an inner answer has no meaning.
                KnownParty::Instead(_) if depth > 0 => CompiledKnownParty::Same,
                KnownParty::Instead(other) => {
                    let place = format!("{place}.known_party.instead");
                    CompiledKnownParty::Instead(Box::new(self.category(
                        &place,
                        other,
                        depth + 1,
                    )?))
                }
            },
        })
    }
}
