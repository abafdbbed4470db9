//! Authenticated, paced HTTP for connectors: one [`ApiClient`] per vendor serves every tenant.
//!
//! A connector says *what* to call; the client decides *when* and *how often*. One call goes
//! through a total deadline and then, for each attempt, through breaker, in-flight slots, rate
//! limit, token, attempt time-out and classification, with one forced refresh after a 401. Every
//! attempt leaves one [`CallRecord`](nextedge_core::CallRecord) in the
//! [`CallContext`](nextedge_core::CallContext), so the audit
//! sees exactly what the vendor saw. Time comes from the context's clock, so tests never wait; a test
//! on a [`ManualClock`](nextedge_core::ManualClock) that provokes failures sets
//! [`RetryOptions::never`], or moves the clock past the backoff.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use nextedge_core::{CallContext, Connection, ConnectionId, ConnectionRole, Secret, TenantId};
//! use nextedge_http::{ApiClient, Applied, RateLimit, RateLimits, Request, StaticToken};
//! use serde_json::json;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let mut vendor = mockito::Server::new_async().await;
//! # vendor.mock("POST", "/contacts").with_status(201).with_body(r#"{"id":"7"}"#).create_async().await;
//! # vendor.mock("POST", "/notes").with_status(500).create_async().await;
//! # let base = vendor.url();
//! let api = ApiClient::builder()
//!     .base_url(&base)
//!     .tokens(StaticToken::new(Secret::new("abc")))
//!     .rate_limits(RateLimits::none().with(RateLimit::new(100, Duration::from_secs(10))))
//!     .build()?;
//!
//! let account = ConnectionId::new("crm-1")?;
//! let connection = Arc::new(Connection::new(account, "acme", ConnectionRole::Sink));
//! let cx = CallContext::new(TenantId::new("t1")?, connection, Duration::from_secs(30));
//!
//! // The vendor refuses a second contact with this address, so the write may be repeated.
//! let create = Request::post("acme.contacts.create", "/contacts")
//!     .json(&json!({ "email": "ann@example.org" }))
//!     .keyed()
//!     .audit_summary(json!({ "fields": ["email"] }));
//! let contact: serde_json::Value = api.send(&cx, create).await?.json()?;
//! assert_eq!(contact["id"], "7");
//!
//! // Nothing protects this write from doubling: it is sent once, and its fate is said honestly.
//! let note = Request::post("acme.notes.create", "/notes").json(&json!({ "text": "hi" }));
//! let failure = api.send(&cx, note).await.unwrap_err();
//! assert_eq!(failure.applied(), Applied::Maybe);
//! assert_eq!(cx.take_calls().len(), 2);
//! # Ok(())
//! # }
//! ```
//!
//! # Map
//!
//! | Word | Is |
//! |---|---|
//! | [`ApiClient`], [`ApiClientBuilder`] | the client and its options, each with its default |
//! | [`Request`], [`Response`], [`Part`] | one call and its answer |
//! | [`Idempotency`] | what a repetition of a request would do; writes repeat only when keyed |
//! | [`CallError`], [`Applied`] | why a call failed, and whether its write may have happened |
//! | [`ErrorMapper`] | a vendor's own reading of a refusal, before the common status table |
//! | [`TokenProvider`], [`StaticToken`] | where credentials come from |
//! | [`RateLimits`], [`RateLimit`] | a vendor's quota as data |
//! | [`RetryOptions`], [`BreakerOptions`] | repetition and breaker |
//! | [`CallCount`], [`Cause`] | how many calls were made, and why |
//! | [`WebhookNotifier`] | alerts as signed JSON to a web address |

mod audit;
mod breaker;
mod builder;
mod call;
mod client;
mod connections;
mod error;
mod hosts;
mod limit;
mod request;
mod response;
mod retry;
mod stats;
mod status;
mod token;
mod transport;
mod webhook;
mod window;

pub use breaker::{BreakerOptions, BreakerState};
pub use builder::{ApiClientBuilder, AuthScheme};
pub use client::ApiClient;
pub use error::{Applied, CallError, ErrorMapper};
pub use limit::{RateLimit, RateLimits};
pub use request::{Idempotency, Part, Request, path_segment};
pub use response::{Response, ResponseSummary};
pub use retry::RetryOptions;
pub use stats::{CallCount, Cause};
pub use token::{StaticToken, TokenProvider};
pub use webhook::WebhookNotifier;
