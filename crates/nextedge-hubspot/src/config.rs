//! What a builder, an account and a connection can choose.
//!
//! [`ApiVersions`] and [`RatePreset`] belong to the value of the sink and so to every tenant;
//! [`Settings`] are the JSON of one connection, validated by `check`.

use std::time::Duration;

use nextedge_core::{CallContext, Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// Where HubSpot answers for every account, whatever its data centre.
pub const DEFAULT_BASE_URL: &str = "https://api.hubapi.com";

/// The dated API version of each family of calls.
///
/// HubSpot publishes one each March and September and supports it for 18 months.
///
/// ```
/// use nextedge_hubspot::ApiVersions;
///
/// let versions = ApiVersions::default();
/// assert_eq!(versions.objects, "2026-09");
/// let fallback = ApiVersions::all("2026-03")?;
/// assert_eq!(fallback.files, "2026-03");
/// # Ok::<(), nextedge_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiVersions {
    /// Records and their search.
    pub objects: String,
    /// Association batches and labels.
    pub associations: String,
    /// Property definitions.
    pub properties: String,
    /// Pipelines and stages.
    pub pipelines: String,
    /// Owners.
    pub owners: String,
    /// Schemas of custom objects.
    pub schemas: String,
    /// File uploads.
    pub files: String,
    /// Account details.
    pub account: String,
}

impl ApiVersions {
    /// Uses one version for every family, such as `2026-03`, the fallback that is still supported.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for anything but `YYYY-MM`: previews may break at any time and the
    /// undated versions end in 2027.
    pub fn all(version: &str) -> Result<Self> {
        if !is_dated(version) {
            return Err(Error::new(ErrorKind::Config, "API version refused")
                .with_context("setting", "versions")
                .with_context("value", version)
                .with_action("use a dated version such as 2026-09 or 2026-03"));
        }
        Ok(Self::filled(version))
    }

    pub(crate) fn check(&self) -> Result<()> {
        let families = [
            &self.objects,
            &self.associations,
            &self.properties,
            &self.pipelines,
            &self.owners,
            &self.schemas,
            &self.files,
            &self.account,
        ];
        families
            .into_iter()
            .try_for_each(|version| Self::all(version).map(drop))
    }

    fn filled(version: &str) -> Self {
        let version = || version.to_owned();
        Self {
            objects: version(),
            associations: version(),
            properties: version(),
            pipelines: version(),
            owners: version(),
            schemas: version(),
            files: version(),
            account: version(),
        }
    }
}

impl Default for ApiVersions {
    /// Returns 2026-09 for every family.
    fn default() -> Self {
        Self::filled("2026-09")
    }
}

fn is_dated(version: &str) -> bool {
    let Some((year, month)) = version.split_once('-') else {
        return false;
    };
    let digits = |text: &str, len| text.len() == len && text.bytes().all(|b| b.is_ascii_digit());
    digits(year, 4) && digits(month, 2)
}

/// How many calls an account takes in ten seconds, by plan and kind of app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RatePreset {
    /// A service key or private app on Free or Starter: 100.
    #[default]
    Free,
    /// A service key or private app on Professional or Enterprise: 190.
    Professional,
    /// An OAuth app installed in many accounts: 110 for each account.
    OAuth,
    /// No limit of ours, for tests and measurements against a local server.
    Lifted,
}

impl RatePreset {
    /// Returns the calls allowed in [`RatePreset::WINDOW`]; none where the limit is lifted.
    pub fn calls(self) -> Option<u32> {
        match self {
            Self::Free => Some(100),
            Self::Professional => Some(190),
            Self::OAuth => Some(110),
            Self::Lifted => None,
        }
    }

    /// Returns the searches allowed in one second over all apps of an account.
    pub fn searches_per_second(self) -> Option<u32> {
        match self {
            Self::Free | Self::Professional | Self::OAuth => Some(5),
            Self::Lifted => None,
        }
    }

    /// The window that [`RatePreset::calls`] counts in.
    pub const WINDOW: Duration = Duration::from_secs(10);
}

/// The settings of one connection; every one has a default.
///
/// ```
/// use nextedge_hubspot::{KeyProperty, Settings};
///
/// let settings = Settings::from_json(&serde_json::json!({ "key_property": "install" }))?;
/// assert_eq!(settings.key_property, KeyProperty::Install);
/// # Ok::<(), nextedge_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Settings {
    /// The portal id this connection must lead to; another account is refused. Default: any.
    pub account: Option<String>,
    /// Whether we may create our unique property. Default: use it where it exists.
    pub key_property: KeyProperty,
    /// What a lead becomes. Default: a lead record where leads are set up.
    pub leads: LeadsMode,
    /// When the timeline is searched for a mail before it is written. Default: after a lost answer.
    pub lookups: Lookups,
    /// The folder for uploaded files. Default: `/nextedge`.
    pub file_folder: FileFolder,
    /// Pipeline ids to use instead of each object's first, by `tickets`, `deals` or `leads`.
    pub pipelines: std::collections::BTreeMap<String, String>,
    /// Custom objects that field maps may name, such as `2-1234567`. Default: none; at most 10.
    pub custom_objects: Vec<String>,
}

impl Settings {
    /// Most custom objects of one connection: each costs calls when the account is described.
    pub const MAX_CUSTOM_OBJECTS: usize = 10;

    /// Reads and checks the settings of a connection; null means all defaults.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] naming the setting.
    pub fn from_json(value: &serde_json::Value) -> Result<Self> {
        if value.is_null() {
            return Ok(Self::default());
        }
        let settings: Self = serde::Deserialize::deserialize(value).map_err(|error: serde_json::Error| {
            Error::new(ErrorKind::Config, "HubSpot settings refused")
                .with_context("fault", error)
                .with_action("settings are account, key_property, leads, lookups, file_folder, pipelines, custom_objects")
        })?;
        settings.check()?;
        Ok(settings)
    }

    pub(crate) fn of(cx: &CallContext) -> Result<Self> {
        Self::from_json(&cx.connection().settings)
    }

    fn check(&self) -> Result<()> {
        let refused = |setting: &'static str, action: &'static str| {
            Err(Error::new(ErrorKind::Config, "HubSpot setting refused")
                .with_context("setting", setting)
                .with_action(action))
        };
        if !self.file_folder.0.starts_with('/') || self.file_folder.0.len() > 200 {
            return refused(
                "file_folder",
                "give a path such as /nextedge, at most 200 bytes",
            );
        }
        if self.custom_objects.len() > Self::MAX_CUSTOM_OBJECTS {
            return refused("custom_objects", "name at most 10 objects");
        }
        if !self.custom_objects.iter().all(|name| is_object_name(name)) {
            return refused("custom_objects", "use object type ids such as 2-1234567");
        }
        let known = ["tickets", "deals", "leads"];
        if !self
            .pipelines
            .keys()
            .all(|name| known.contains(&name.as_str()))
        {
            return refused("pipelines", "use the keys tickets, deals and leads");
        }
        Ok(())
    }
}

/// Tells whether a text is safe inside a path: an object type id or fully qualified name.
pub(crate) fn is_object_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 100
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// Whether we may create the unique property that keeps records from being written twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeyProperty {
    /// Use it where it exists, never create it.
    #[default]
    Existing,
    /// Consent to create it: `HubSpotSink::install` then does.
    Install,
    /// Do not use it, even where it exists.
    Off,
}

/// What a lead becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LeadsMode {
    /// A lead record where the account has leads, else a contact with a lead status.
    #[default]
    Auto,
    /// Always a lead record; `check` refuses an account without leads.
    Object,
    /// Always a contact with a lead status.
    ContactStatus,
}

/// When the timeline is searched for a mail before it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Lookups {
    /// Only for a mail whose earlier attempt may have been applied.
    #[default]
    WhenUnknown,
    /// For every mail, because something else, such as a mailbox connected in HubSpot, logs too.
    Always,
}

/// The folder for uploaded files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FileFolder(pub(crate) String);

impl FileFolder {
    /// Returns the path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for FileFolder {
    fn default() -> Self {
        Self("/nextedge".to_owned())
    }
}

/// Bounds of one `deliver`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Most deliveries in one call of `deliver`. Default 500.
    pub batch_items: usize,
    /// Most inputs in one request; HubSpot takes 100. Default 100.
    pub request_items: usize,
    /// Body bytes of mails after which a request is sent. Default 8 MiB.
    pub request_bytes: usize,
    /// Uploads in flight at once. Default 4.
    pub parallel_uploads: usize,
    /// How often a refused request without named inputs is halved. Default 3.
    pub splits: u32,
    /// How long an account's description is kept. Default 6 hours.
    pub description_ttl: Duration,
    /// Most accounts whose description is kept. Default 1,000.
    pub descriptions: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            batch_items: 500,
            request_items: 100,
            request_bytes: 8 * 1024 * 1024,
            parallel_uploads: 4,
            splits: 3,
            description_ttl: Duration::from_secs(6 * 3600),
            descriptions: 1_000,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn only_dated_versions_pass() {
        for (version, good) in [
            ("2026-09", true),
            ("2026-03", true),
            ("v3", false),
            ("2026-09-beta", false),
            ("2026-9", false),
            ("", false),
        ] {
            assert_eq!(ApiVersions::all(version).is_ok(), good, "{version}");
        }
    }

    #[test]
    fn wrong_settings_name_themselves() {
        for (settings, named) in [
            (json!({"leeds": "auto"}), "leeds"),
            (json!({"leads": "sometimes"}), "sometimes"),
            (json!({"file_folder": "x"}), "file_folder"),
            (json!({"pipelines": {"quotes": "1"}}), "pipelines"),
            (json!({"custom_objects": ["../x"]}), "custom_objects"),
        ] {
            let error = Settings::from_json(&settings).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(named), "{error}");
        }
    }

    #[test]
    fn no_settings_mean_defaults() {
        let settings = Settings::from_json(&serde_json::Value::Null).unwrap();
        assert_eq!(settings, Settings::default());
        assert_eq!(settings.file_folder.as_str(), "/nextedge");
    }
}
