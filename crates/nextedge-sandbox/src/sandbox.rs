//! A running sandbox.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::control::apply_seed;
use crate::faults::Faults;
use crate::hubspot::Hubspot;
use crate::journal::Journal;
use crate::options::SandboxBuilder;
use crate::server::{Cut, CuttingListener, Shared, router};

/// A running sandbox. Stops when dropped.
///
/// A panic in one of its handlers is remembered and raised again when the value is
/// dropped, so that it fails the test that holds it; [`finish`](Self::finish) reports it instead.
///
/// # Examples
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use nextedge_sandbox::Sandbox;
///
/// let sandbox = Sandbox::builder().start().await?;
/// sandbox.seed(serde_json::json!({"hubspot": {"records": {
///     "contacts": [{"properties": {"email": "ada@example.com"}}]
/// }}}))?;
/// assert_eq!(sandbox.records("contacts")[0]["properties"]["email"], "ada@example.com");
/// assert!(sandbox.control_url().ends_with("/_sandbox"));
/// # sandbox.finish().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Sandbox {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<io::Result<()>>>,
    finished: bool,
}

impl Sandbox {
    /// Configures a sandbox; [`SandboxBuilder::start`] runs it.
    #[must_use]
    pub fn builder() -> SandboxBuilder {
        SandboxBuilder::default()
    }

    pub(crate) async fn start(options: SandboxBuilder) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            hubspot: Hubspot::new(options.settings, options.rate_limit),
            journal: Journal::new(options.journal),
            faults: Faults::default(),
            panics: std::sync::Mutex::default(),
            base: format!("http://{address}"),
        });
        let service = router(Arc::clone(&shared)).into_make_service_with_connect_info::<Cut>();
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = axum::serve(CuttingListener(listener), service).with_graceful_shutdown(async {
            let _ = stopped.await;
        });
        Ok(Self {
            shared,
            address,
            stop: Some(stop),
            server: Some(tokio::spawn(async { serve.await })),
            finished: false,
        })
    }

    /// Where the sandbox listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL to give a HubSpot client.
    #[must_use]
    pub fn hubspot_url(&self) -> String {
        self.shared.base.clone()
    }

    /// The base URL of the control surface; the page is at this URL with a `/`.
    #[must_use]
    pub fn control_url(&self) -> String {
        format!("{}/_sandbox", self.shared.base)
    }

    /// Answers all records: `{vendor: {object_type: [record]}}`, as `GET state` does.
    #[must_use]
    pub fn state(&self) -> Value {
        serde_json::json!({"hubspot": self.shared.hubspot.state(&[])})
    }

    /// Answers the HubSpot records of one type, oldest first, as [`state`](Self::state) lists them.
    #[must_use]
    pub fn records(&self, object_type: &str) -> Vec<Value> {
        let mut state = self.shared.hubspot.state(&[object_type.to_owned()]);
        match state[object_type].take() {
            Value::Array(records) => records,
            _ => Vec::new(),
        }
    }

    /// Counts the records of each HubSpot type, without rendering them.
    #[must_use]
    pub fn counts(&self) -> Value {
        self.shared.hubspot.counts()
    }

    /// Answers the journalled requests, oldest first, as `GET journal` does.
    #[must_use]
    pub fn journal(&self) -> Vec<Value> {
        self.journal_since(0)
    }

    /// Answers the journalled requests numbered `since` and later.
    #[must_use]
    pub fn journal_since(&self, since: u64) -> Vec<Value> {
        match self.shared.journal.list(since) {
            Value::Array(entries) => entries,
            _ => Vec::new(),
        }
    }

    /// Answers how often each call was made and how it ended, as `GET counters` does.
    #[must_use]
    pub fn counters(&self) -> Value {
        self.shared.journal.counters()
    }

    /// Puts a fault in force, in the form that `POST faults` takes.
    ///
    /// # Errors
    ///
    /// When the fault is misspelt or would do nothing; the text says what is wrong.
    pub fn fault(&self, fault: Value) -> Result<Value, String> {
        self.shared.faults.add(fault)
    }

    /// Lists the faults in force, with how often each was met.
    #[must_use]
    pub fn faults(&self) -> Value {
        self.shared.faults.list()
    }

    /// Lifts all faults.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
    }

    /// Fills accounts, in the form that `POST seed` takes. Answers the ids of seeded records.
    ///
    /// # Errors
    ///
    /// When a part of the seed is misspelt or an account would refuse a record.
    pub fn seed(&self, seed: Value) -> Result<Value, String> {
        apply_seed(&self.shared, seed)
    }

    /// Puts accounts, journal and faults back to what they were at start.
    pub fn reset(&self) {
        self.shared.reset();
    }

    /// Lists the panics of handlers so far. Empty in a sound sandbox.
    #[must_use]
    pub fn panics(&self) -> Vec<String> {
        self.shared.panics()
    }

    /// Stops, after the requests under way are answered.
    ///
    /// # Errors
    ///
    /// When a handler panicked, or the server had failed.
    pub async fn finish(mut self) -> io::Result<()> {
        self.finished = true;
        drop(self.stop.take());
        if let Some(server) = self.server.take() {
            // A client that keeps its connection open must not keep the sandbox alive.
            let abort = server.abort_handle();
            let ended = tokio::time::timeout(GRACE, server).await;
            abort.abort();
            if let Ok(Ok(result)) = ended {
                result?;
            }
        }
        match self.panics().as_slice() {
            [] => Ok(()),
            panics => Err(io::Error::other(format!(
                "handlers panicked: {}",
                panics.join("; ")
            ))),
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
        let panics = self.panics();
        let report = !self.finished && !std::thread::panicking();
        assert!(
            !report || panics.is_empty(),
            "sandbox handlers panicked: {}",
            panics.join("; ")
        );
    }
}

/// How long requests under way may take once the sandbox is told to stop.
const GRACE: std::time::Duration = std::time::Duration::from_secs(2);
