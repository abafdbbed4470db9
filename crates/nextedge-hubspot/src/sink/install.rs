//! Creates our unique property, on consent only.

use nextedge_core::{CallContext, Error, ErrorKind, RecordKind, Result};

use super::HubSpotSink;
use crate::config::{KeyProperty, Settings};
use crate::wire::KEY_PROPERTY;
use crate::wire::definitions::key_property;

/// Where our unique property stands after [`HubSpotSink::install`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Installed {
    /// Objects on which HubSpot now keeps a record from being written twice.
    pub keyed: Vec<RecordKind>,
    /// Objects on which it could not be created, with the reason; they are looked up instead.
    pub refused: Vec<(RecordKind, String)>,
}

impl HubSpotSink {
    /// Creates the unique property `nextedge_key` on every object where it is missing.
    ///
    /// Run it once after connecting an account, and again to see where it stands. With it a lost
    /// answer never doubles a record; without it records are searched for, and a window of some
    /// seconds remains.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] unless the connection's settings say `"key_property": "install"`; any
    /// fault that concerns more than one object.
    pub async fn install(&self, cx: &CallContext) -> Result<Installed> {
        if Settings::of(cx)?.key_property != KeyProperty::Install {
            return Err(
                Error::new(ErrorKind::Config, "the key property needs consent")
                    .with_context("setting", "key_property")
                    .with_action("set key_property to install in the connection's settings"),
            );
        }
        self.forget_profile(cx).await;
        let before = self.profile(cx).await?;
        let mut installed = Installed::default();
        for object in before.keyable() {
            if before.property(object, KEY_PROPERTY).is_some() {
                continue;
            }
            let group = before.group(object).unwrap_or_default();
            let made = self
                .client
                .create_property(cx, object, &key_property(group))
                .await;
            match made {
                Ok(_) => {}
                Err(fault) if fault.is_conflict() => {}
                Err(fault) if fault.halts() => return Err(fault.to_error()),
                Err(fault) => installed
                    .refused
                    .push((object.kind(), fault.to_error().to_string())),
            }
        }
        self.forget_profile(cx).await;
        let after = self.profile(cx).await?;
        let keyed = after.keyable().filter(|object| after.is_keyed(object));
        installed.keyed = keyed.map(crate::wire::ObjectType::kind).collect();
        Ok(installed)
    }
}
