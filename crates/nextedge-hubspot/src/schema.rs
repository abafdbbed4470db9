//! What one account looks like, read once and kept for hours, and the field map made for it.

mod default_map;

use std::collections::BTreeMap;

use futures::future::join_all;
use nextedge_core::sink::{FieldDescription, FieldKind, ObjectDescription, SinkDescription};
use nextedge_core::{CallContext, FieldName, FieldValue};

use crate::client::HubSpotClient;
use crate::config::{KeyProperty, LeadsMode, Settings};
use crate::error::Fault;
use crate::wire::associations::AssociationType;
use crate::wire::definitions::{self, Pipeline, Progress, Property};
use crate::wire::email::MessageIdProperty;
use crate::wire::objects::{Properties, value_text};
use crate::wire::{KEY_PROPERTY, MAX_TEXT, ObjectType};

/// One account: its objects, pipelines, owners and association types.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) settings: Settings,
    objects: BTreeMap<ObjectType, ObjectProfile>,
    links: BTreeMap<(ObjectType, ObjectType), AssociationType>,
    owners: Vec<String>,
}

#[derive(Debug, Default)]
struct ObjectProfile {
    properties: BTreeMap<String, Property>,
    required: Vec<String>,
    pipelines: Vec<Pipeline>,
}

impl Profile {
    /// Reads the account. Objects that the token may not see, or the plan does not have, are left
    /// out; only contacts and e-mails must be there.
    pub(crate) async fn load(
        client: &HubSpotClient,
        cx: &CallContext,
        settings: Settings,
    ) -> Result<Self, Fault> {
        let wanted = objects_of(&settings);
        let read = wanted
            .iter()
            .map(|object| ObjectProfile::load(client, cx, object));
        let (read, owners) = futures::join!(join_all(read), owners(client, cx));
        let mut objects = BTreeMap::new();
        for (object, profile) in wanted.into_iter().zip(read) {
            match profile {
                Ok(profile) => drop(objects.insert(object, profile)),
                Err(fault) if is_absent(&fault) && !is_needed(&object) => {}
                Err(fault) => return Err(fault),
            }
        }
        let mut profile = Self {
            settings,
            objects,
            links: BTreeMap::new(),
            owners: owners?,
        };
        profile.links = profile.read_links(client, cx).await?;
        Ok(profile)
    }

    /// Asks for the association types that HubSpot does not document or the account defines.
    async fn read_links(
        &self,
        client: &HubSpotClient,
        cx: &CallContext,
    ) -> Result<BTreeMap<(ObjectType, ObjectType), AssociationType>, Fault> {
        use ObjectType::{Company, Contact, Custom, Email, Lead, Note};
        let mut pairs = Vec::new();
        if self.has(&Lead) {
            pairs.push((Email, Lead));
        }
        for custom in self
            .objects
            .keys()
            .filter(|object| matches!(object, Custom(_)))
        {
            pairs.extend([
                (Email, custom.clone()),
                (Note, custom.clone()),
                (custom.clone(), Contact),
                (custom.clone(), Company),
            ]);
        }
        let read = pairs.iter().map(|(from, to)| client.labels(cx, from, to));
        let answers = join_all(read).await;
        let mut links = BTreeMap::new();
        for (pair, answer) in pairs.into_iter().zip(answers) {
            match answer {
                Ok(answer) => {
                    if let Some(kind) = definitions::plain_label(&answer) {
                        links.insert(pair, kind);
                    }
                }
                Err(fault) if is_absent(&fault) => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(links)
    }

    /// Tells whether the account has an object that we may see.
    pub(crate) fn has(&self, object: &ObjectType) -> bool {
        self.objects.contains_key(object)
    }

    /// Tells whether HubSpot enforces our key on an object.
    pub(crate) fn is_keyed(&self, object: &ObjectType) -> bool {
        self.settings.key_property != KeyProperty::Off
            && self
                .property(object, KEY_PROPERTY)
                .is_some_and(|key| key.unique && key.writable)
    }

    /// The association type of a pair; none if only the default call can link it.
    pub(crate) fn link(&self, from: &ObjectType, to: &ObjectType) -> Option<AssociationType> {
        let known = AssociationType::known(from, to);
        known.or_else(|| self.links.get(&(from.clone(), to.clone())).cloned())
    }

    pub(crate) fn message_id(&self) -> MessageIdProperty {
        match self.property(&ObjectType::Email, "hs_email_message_id") {
            Some(property) if property.writable => MessageIdProperty::Writable,
            _ => MessageIdProperty::ReadOnly,
        }
    }

    /// Whether work on a record at this stage goes on; unknown stages count as open.
    pub(crate) fn progress(
        &self,
        object: &ObjectType,
        pipeline: Option<&str>,
        stage: &str,
    ) -> Progress {
        let pipelines = self.objects.get(object).map_or(&[][..], |o| &o.pipelines);
        let of_record = pipelines
            .iter()
            .filter(|p| pipeline.is_none_or(|id| id == p.id));
        let mut stages = of_record.flat_map(|p| &p.stages);
        stages
            .find(|s| s.id == stage)
            .map_or(Progress::Open, |s| s.progress)
    }

    /// Turns field values into HubSpot's text, dates without a time of day where the type wants it.
    pub(crate) fn properties(
        &self,
        object: &ObjectType,
        fields: &BTreeMap<FieldName, FieldValue>,
    ) -> Properties {
        let text = |(name, value): (&FieldName, &FieldValue)| {
            let kind = self
                .property(object, name.as_str())
                .map(|property| property.kind.as_str());
            let text = match (kind, value) {
                (Some("date"), FieldValue::Time(at)) => at.format("%Y-%m-%d").to_string(),
                _ => value_text(value),
            };
            (name.as_str().to_owned(), text)
        };
        fields.iter().map(text).collect()
    }

    /// The pipeline that new records go to: the chosen one, else the first with an open stage.
    fn pipeline(&self, object: &ObjectType) -> Option<&Pipeline> {
        let pipelines = &self.objects.get(object)?.pipelines;
        let chosen = self.settings.pipelines.get(object.path());
        let mut fitting = pipelines
            .iter()
            .filter(|p| chosen.is_none_or(|id| *id == p.id));
        fitting.find(|pipeline| pipeline.first_open().is_some())
    }

    pub(crate) fn property(&self, object: &ObjectType, name: &str) -> Option<&Property> {
        self.objects.get(object)?.properties.get(name)
    }

    /// A group that our own property can join.
    pub(crate) fn group(&self, object: &ObjectType) -> Option<&str> {
        let properties = &self.objects.get(object)?.properties;
        let title = object
            .title_property()
            .and_then(|name| properties.get(name));
        let first = || {
            properties
                .values()
                .find(|property| !property.group.is_empty())
        };
        title
            .filter(|property| !property.group.is_empty())
            .or_else(first)
            .map(|p| p.group.as_str())
    }

    /// Objects on which our key is useful; contacts have their address.
    pub(crate) fn keyable(&self) -> impl Iterator<Item = &ObjectType> {
        self.objects
            .keys()
            .filter(|object| **object != ObjectType::Contact)
    }

    /// Tells whether leads become lead records.
    pub(crate) fn uses_leads(&self) -> bool {
        match self.settings.leads {
            LeadsMode::ContactStatus => false,
            LeadsMode::Auto | LeadsMode::Object => self.has(&ObjectType::Lead),
        }
    }

    /// Describes the account in the engine's words.
    pub(crate) fn describe(&self) -> SinkDescription {
        let objects = self
            .objects
            .iter()
            .map(|(object, profile)| ObjectDescription {
                kind: object.kind(),
                vendor_name: object.path().to_owned(),
                fields: self.fields(profile),
            });
        SinkDescription {
            objects: objects.collect(),
            default_map: default_map::build(self),
        }
    }

    fn fields(&self, object: &ObjectProfile) -> Vec<FieldDescription> {
        let ours = object
            .properties
            .values()
            .filter(|property| property.name != KEY_PROPERTY);
        let field = |property: &Property| FieldDescription {
            name: FieldName::new(&property.name),
            kind: self.field_kind(property),
            writable: property.writable,
            required: object.required.contains(&property.name),
        };
        ours.map(field).collect()
    }

    fn field_kind(&self, property: &Property) -> FieldKind {
        let text = FieldKind::Text {
            max_chars: MAX_TEXT,
        };
        match property.kind.as_str() {
            "number" => FieldKind::Number,
            "bool" => FieldKind::Bool,
            "date" | "datetime" => FieldKind::Time,
            "enumeration" if !property.options.is_empty() => FieldKind::Choice {
                values: property.options.clone(),
            },
            "enumeration" if property.name == OWNER && !self.owners.is_empty() => {
                FieldKind::Choice {
                    values: self.owners.clone(),
                }
            }
            _ => text,
        }
    }
}

impl ObjectProfile {
    async fn load(
        client: &HubSpotClient,
        cx: &CallContext,
        object: &ObjectType,
    ) -> Result<Self, Fault> {
        let properties = client.properties(cx, object).await?;
        let mut required: Vec<String> = definitions::required_by_hubspot(object)
            .iter()
            .map(|name| (*name).to_owned())
            .collect();
        if let ObjectType::Custom(_) = object {
            required = definitions::required_of_schema(&client.schema(cx, object).await?);
        }
        let mut pipelines = Vec::new();
        if object.stage_properties().is_some() {
            pipelines = definitions::pipelines(&client.pipelines(cx, object).await?);
        }
        let mut profile = Self {
            properties: BTreeMap::new(),
            required,
            pipelines,
        };
        profile.add(definitions::properties(&properties));
        profile.fill_stages(object);
        Ok(profile)
    }

    fn add(&mut self, properties: Vec<Property>) {
        let named = properties
            .into_iter()
            .map(|property| (property.name.clone(), property));
        self.properties.extend(named);
    }

    /// Pipelines and stages are choices, though HubSpot lists their ids apart.
    fn fill_stages(&mut self, object: &ObjectType) {
        let Some(names) = object.stage_properties() else {
            return;
        };
        let pipelines: Vec<_> = self.pipelines.iter().map(|p| p.id.clone()).collect();
        let stages = self
            .pipelines
            .iter()
            .flat_map(|p| &p.stages)
            .map(|s| s.id.clone())
            .collect();
        for (name, values) in [(names.pipeline, pipelines), (names.stage, stages)] {
            if let Some(property) = self.properties.get_mut(name) {
                property.options = values;
            }
        }
    }
}

fn objects_of(settings: &Settings) -> Vec<ObjectType> {
    use ObjectType::{Company, Contact, Custom, Deal, Email, Lead, Note, Ticket};
    let mut objects = vec![Contact, Company, Deal, Ticket, Email, Note];
    if settings.leads != LeadsMode::ContactStatus {
        objects.push(Lead);
    }
    objects.extend(settings.custom_objects.iter().cloned().map(Custom));
    objects
}

/// Reads the owners' ids, a bounded number of pages; none if the token may not see them.
async fn owners(client: &HubSpotClient, cx: &CallContext) -> Result<Vec<String>, Fault> {
    let mut owners = Vec::new();
    let mut after = None;
    for _ in 0..MAX_OWNER_PAGES {
        let page = match client.owners(cx, after.as_deref()).await {
            Ok(page) => page,
            Err(fault) if is_absent(&fault) => break,
            Err(fault) => return Err(fault),
        };
        owners.extend(definitions::owners(&page));
        after = crate::wire::answers::next_page(&page);
        if after.is_none() {
            break;
        }
    }
    Ok(owners)
}

/// Tells whether an account lacks something, rather than failing.
fn is_absent(fault: &Fault) -> bool {
    matches!(fault.status, Some(403 | 404))
}

fn is_needed(object: &ObjectType) -> bool {
    matches!(object, ObjectType::Contact | ObjectType::Email)
}

/// The property that names a record's owner.
pub(crate) const OWNER: &str = "hubspot_owner_id";
/// Owners beyond 1,000 are not offered as choices.
const MAX_OWNER_PAGES: usize = 10;
