//! The other side, in a process of its own: a plain receiver, or the sandbox.

use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::HeaderMap;
use axum::response::Json;
use axum::routing::{get, post};
use nextedge_benches::Failure;
use nextedge_benches::clock::monotonic;
use nextedge_sandbox::{RateLimit, Sandbox};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdin, Command};

use crate::SinkChoice;

/// A running peer; its process ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Peer {
    /// Where the connector writes.
    pub(crate) url: String,
    stats: String,
    _child: Child,
    // its end tells the peer to stop, also if this process is killed
    _stdin: Option<ChildStdin>,
}

impl Peer {
    /// Starts this program again as the peer and waits until it listens.
    pub(crate) async fn start(choice: SinkChoice) -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["peer", choice.as_str()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let out = child.stdout.take().ok_or("the peer has no output")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line).await?;
        let ready: Value = serde_json::from_str(&line)?;
        let text = |name: &str| ready[name].as_str().unwrap_or_default().to_owned();
        Ok(Self {
            url: text("url"),
            stats: text("stats"),
            _stdin: child.stdin.take(),
            _child: child,
        })
    }

    /// Reads what the peer counted: its own journal, not our count.
    pub(crate) async fn counters(&self) -> Result<Value, Failure> {
        Ok(read(&format!("{}/counters", self.stats)).await?)
    }

    /// Reads when the receiver had read each request, by the clock that all processes share.
    pub(crate) async fn arrivals(&self) -> Result<Vec<Duration>, Failure> {
        let arrivals = read(&format!("{}/arrivals", self.stats)).await?;
        let nanos: Vec<u64> = serde_json::from_value(arrivals)?;
        Ok(nanos.into_iter().map(Duration::from_nanos).collect())
    }

    /// Reads how many mails the peer holds.
    pub(crate) async fn mails(&self, choice: SinkChoice) -> Result<u64, Failure> {
        let counts = read(&format!("{}/counts", self.stats)).await?;
        let place = match choice {
            SinkChoice::Receiver => &counts["items"],
            SinkChoice::Hubspot => &counts["hubspot"]["emails"],
        };
        Ok(place.as_u64().unwrap_or_default())
    }
}

async fn read(url: &str) -> Result<Value, reqwest::Error> {
    reqwest::get(url).await?.json().await
}

/// Serves until the starting process is gone.
pub(crate) async fn serve(choice: SinkChoice) -> Result<(), Failure> {
    match choice {
        SinkChoice::Receiver => serve_receiver().await,
        SinkChoice::Hubspot => serve_sandbox().await,
    }
}

async fn serve_sandbox() -> Result<(), Failure> {
    let sandbox = Sandbox::builder()
        .rate_limit(RateLimit::None)
        .search_lag(Duration::ZERO)
        .journal_requests(1_000)
        .discard_bodies()
        .start()
        .await?;
    println!(
        "{}",
        json!({"url": sandbox.hubspot_url(), "stats": sandbox.control_url()})
    );
    parent_gone().await;
    Ok(sandbox.finish().await?)
}

#[derive(Debug, Default)]
struct Received {
    requests: AtomicU64,
    items: AtomicU64,
    bytes: AtomicU64,
    /// Of the first [`MAX_ARRIVALS`] requests, in nanoseconds.
    arrivals: Mutex<Vec<u64>>,
}

impl Received {
    fn arrivals(&self) -> MutexGuard<'_, Vec<u64>> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve_receiver() -> Result<(), Failure> {
    let received = Arc::new(Received::default());
    let router = Router::new()
        .route("/batch", post(take))
        .route("/counters", get(counters))
        .route("/counts", get(counts))
        .route("/arrivals", get(arrivals))
        .layer(DefaultBodyLimit::max(256 << 20))
        .with_state(received);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    println!("{}", json!({"url": url, "stats": url}));
    tokio::select! {
        served = axum::serve(listener, router) => Ok(served?),
        () = parent_gone() => Ok(()),
    }
}

/// Answers only after the whole body was read.
async fn take(
    State(received): State<Arc<Received>>,
    headers: HeaderMap,
    body: Bytes,
) -> Json<Value> {
    let arrived = monotonic();
    let items = headers.get("x-items").and_then(|text| text.to_str().ok());
    let items: u64 = items.and_then(|text| text.parse().ok()).unwrap_or_default();
    received.requests.fetch_add(1, Ordering::Relaxed);
    received.items.fetch_add(items, Ordering::Relaxed);
    received
        .bytes
        .fetch_add(body.len() as u64, Ordering::Relaxed);
    let mut arrivals = received.arrivals();
    if arrivals.len() < MAX_ARRIVALS {
        arrivals.push(u64::try_from(arrived.as_nanos()).unwrap_or_default());
    }
    Json(json!({ "items": items }))
}

async fn arrivals(State(received): State<Arc<Received>>) -> Json<Vec<u64>> {
    Json(received.arrivals().clone())
}

async fn counters(State(received): State<Arc<Received>>) -> Json<Value> {
    let requests = received.requests.load(Ordering::Relaxed);
    Json(json!({"total": requests, "receiver": {"POST /batch": {"200": requests}}}))
}

async fn counts(State(received): State<Arc<Received>>) -> Json<Value> {
    Json(json!({
        "items": received.items.load(Ordering::Relaxed),
        "bytes": received.bytes.load(Ordering::Relaxed),
    }))
}

async fn parent_gone() {
    let mut nothing = Vec::new();
    let _ = tokio::io::stdin().read_to_end(&mut nothing).await;
}

/// Requests whose arrival is kept; a measurement of single mails stays far below.
const MAX_ARRIVALS: usize = 100_000;
