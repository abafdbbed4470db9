//! Credentials: a static bearer token for now, such as a service key or a private app's token.

use nextedge_core::{CallContext, Secret};
use nextedge_http::{StaticToken, TokenProvider};

/// Where the sink's tokens come from.
pub(crate) enum Credentials {
    One(Secret),
    Provider(std::sync::Arc<dyn TokenProvider>),
}

impl Credentials {
    pub(crate) fn by_connection(
        lookup: impl Fn(&CallContext) -> Option<Secret> + Send + Sync + 'static,
    ) -> Self {
        Self::Provider(std::sync::Arc::new(StaticToken::by_connection(lookup)))
    }

    pub(crate) fn into_provider(self) -> std::sync::Arc<dyn TokenProvider> {
        match self {
            Self::One(token) => std::sync::Arc::new(StaticToken::new(token)),
            Self::Provider(provider) => provider,
        }
    }
}
