//! Where credentials come from.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use nextedge_core::{CallContext, Error, ErrorKind, Reach, Result, Secret, Timestamp, later};

/// Gives the token of a connection, and a new one when the vendor has refused it.
///
/// The client calls `token` before every attempt, so it should answer from memory or a store and
/// renew ahead of expiry. `refresh` is called at most once per call, never twice at the same time
/// for one (tenant, connection) in this process; between processes the provider takes its own lease.
/// After a `refresh`, `token` must return the new token.
#[async_trait]
pub trait TokenProvider: fmt::Debug + Send + Sync + 'static {
    /// Returns the present token of `cx`'s connection.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unauthorized`] if the grant is missing or gone, `Unavailable` if it cannot be
    /// told now.
    async fn token(&self, cx: &CallContext) -> Result<Secret>;

    /// Replaces a token that the vendor answered with 401, and returns the new one.
    ///
    /// # Errors
    ///
    /// As `token`; [`ErrorKind::Unsupported`] if this kind of token cannot be renewed, in which
    /// case the vendor's own 401 is reported.
    async fn refresh(&self, cx: &CallContext, rejected: &Secret) -> Result<Secret>;
}

/// Tokens that never change by themselves, such as those of private apps.
pub struct StaticToken {
    lookup: Lookup,
}

type Lookup = Box<dyn Fn(&CallContext) -> Option<Secret> + Send + Sync>;

impl StaticToken {
    /// Uses one token for every tenant and connection: for a single account, demos and tests.
    pub fn new(token: Secret) -> Self {
        Self::by_connection(move |_| Some(token.clone()))
    }

    /// Looks the token up by the context's tenant and connection.
    pub fn by_connection(
        lookup: impl Fn(&CallContext) -> Option<Secret> + Send + Sync + 'static,
    ) -> Self {
        Self {
            lookup: Box::new(lookup),
        }
    }
}

#[async_trait]
impl TokenProvider for StaticToken {
    async fn token(&self, cx: &CallContext) -> Result<Secret> {
        (self.lookup)(cx).ok_or_else(|| {
            Error::new(ErrorKind::Unauthorized, "the connection has no token")
                .with_reach(Reach::Connection)
                .with_context("connection", &cx.connection().id)
                .with_action("set the access token of this connection")
        })
    }

    async fn refresh(&self, _: &CallContext, _: &Secret) -> Result<Secret> {
        Err(Error::new(
            ErrorKind::Unsupported,
            "a static token cannot be renewed",
        ))
    }
}

impl fmt::Debug for StaticToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StaticToken(…)")
    }
}

/// The last token whose renewal was refused: calls that queued up behind it are not worth asking
/// the vendor again, which may lock an account after too many refusals.
#[derive(Debug, Default)]
pub(crate) struct RefusedGrant(Option<(Secret, Timestamp)>);

impl RefusedGrant {
    /// Returns the refusal if this token was refused its renewal a moment ago.
    pub(crate) fn lately(&self, rejected: &Secret, now: Timestamp) -> Option<Error> {
        let (token, at) = self.0.as_ref()?;
        let fresh = now < later(*at, REMEMBERED) && token.expose() == rejected.expose();
        fresh.then(|| {
            Error::new(
                ErrorKind::Unauthorized,
                "the grant was refused a moment ago",
            )
            .with_reach(Reach::Connection)
            .with_action("authorise the connection again")
        })
    }

    /// Remembers how a renewal ended; only a refusal counts, not an unreachable vendor.
    pub(crate) fn note(&mut self, rejected: &Secret, renewed: &Result<Secret>, now: Timestamp) {
        self.0 = match renewed {
            Err(error) if error.kind() == ErrorKind::Unauthorized => Some((rejected.clone(), now)),
            _ => None,
        };
    }
}

const REMEMBERED: Duration = Duration::from_secs(10);
