//! Local imitation of CRM vendors for tests and demos.
//!
//! The sandbox is a stateful server that checks what the vendor checks (required fields,
//! limits, duplicates, rate) and answers in the vendor's own shapes, so that official
//! clients drive it unchanged. It shares no types with any connector: it is a second
//! opinion on the vendor, not a mirror of our own reading.
//!
//! ```
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use nextedge_sandbox::{RateLimit, STATIC_TOKEN, Sandbox};
//!
//! let sandbox = Sandbox::builder().rate_limit(RateLimit::None).start().await?;
//! let base = sandbox.hubspot_url(); // point a client here, with STATIC_TOKEN as bearer
//! sandbox.fault(serde_json::json!({"name": "lose_response", "times": 1}))?;
//! // … run what is tested …
//! assert!(sandbox.journal().is_empty() && sandbox.records("contacts").is_empty());
//! # let _ = (base, STATIC_TOKEN);
//! # sandbox.finish().await?;
//! # Ok(())
//! # }
//! ```
//!
//! | Module | For |
//! |---|---|
//! | `sandbox`, `options` | start, stop, look inside from a test |
//! | `server` | the way of a request, cut connections |
//! | `control` | `/_sandbox/state`, `journal`, `faults`, `reset`, `seed`, `counts`, `counters` |
//! | `faults`, `journal` | faults on demand; what was asked and answered |
//! | `page` | the page a person looks at |
//! | `hubspot` | the HubSpot vendor |
//!
//! # Control surface
//!
//! - `GET state[?types=contacts,emails]`: all records by vendor and object type;
//!   `GET counts` only counts them.
//! - `GET journal[?since=N]`: requests numbered `N` and later, tokens redacted, the `cause` from the
//!   header `X-NextEdge-Cause`; `GET counters`: every call ever made, by path and status.
//! - `POST faults`: `{"vendor","method","path_prefix","path_contains","id","times":n|"always","after":n}` say
//!   which requests; `{"status","headers","body","apply"}`, `{"delay_ms"}`,
//!   `{"drop":"before_apply"|"after_apply"}` or `{"name"}` say what happens. Names: `expire_tokens`,
//!   `revoke_tokens`, `missing_scopes`, `lock_record` (with `id`), `rate_limit` and `account_moving`
//!   (with `retry_after`), `daily_limit`, `server_error`, `bad_gateway`, `gateway_timeout`,
//!   `lose_response`, `partial_batch` (with `index`, `property` and `message`), `panic`. `GET` lists, `DELETE` lifts them.
//! - `POST reset`; `POST seed`: `{"hubspot":{"account":{"leads","search_lag_ms","rate_limit","time_zone",
//!   "currency"},"owners","schemas","properties","pipelines","read_only","required","conditional","records"}}`.

mod control;
mod faults;
mod hubspot;
mod journal;
mod options;
mod page;
mod sandbox;
mod server;

pub use hubspot::{RateLimit, STATIC_TOKEN};
pub use options::SandboxBuilder;
pub use sandbox::Sandbox;
