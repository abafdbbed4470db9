//! A vendor that answers by script, and a clock that never lets a test wait.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use nextedge_core::{
    CallContext, Clock, Connection, ConnectionId, ConnectionRole, ManualClock, Secret, TenantId,
    Timestamp,
};
use nextedge_http::{ApiClient, ApiClientBuilder, StaticToken};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// A clock on which short sleeps (backoff, pacing) pass at once, while time-outs of 20 s and more
/// end only when the test moves the clock.
#[derive(Debug, Default)]
pub(crate) struct TestClock {
    manual: ManualClock,
    slept: Mutex<Vec<Duration>>,
}

impl TestClock {
    pub(crate) fn advance(&self, duration: Duration) {
        self.manual.advance(duration);
    }

    /// The short sleeps so far.
    pub(crate) fn slept(&self) -> Vec<Duration> {
        self.slept.lock().unwrap().clone()
    }
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.manual.now()
    }

    async fn sleep(&self, duration: Duration) {
        if duration >= Duration::from_secs(20) {
            return self.manual.sleep(duration).await;
        }
        self.slept.lock().unwrap().push(duration);
        self.manual.advance(duration);
    }
}

/// A context of the given tenant, with an hour's budget.
pub(crate) fn context(tenant: &str, clock: &Arc<TestClock>) -> CallContext {
    let id = ConnectionId::new("crm").unwrap();
    let connection = Connection::new(id, "acme", ConnectionRole::Sink);
    CallContext::with_clock(
        TenantId::new(tenant).unwrap(),
        Arc::new(connection),
        Duration::from_secs(3600),
        Arc::clone(clock) as Arc<dyn Clock>,
    )
}

/// A client for this base URL with a fixed token.
pub(crate) fn client(base: &str) -> ApiClientBuilder {
    ApiClient::builder()
        .base_url(base)
        .tokens(StaticToken::new(Secret::new(TOKEN)))
}

pub(crate) const TOKEN: &str = "very-secret-token";

/// What the vendor does with the next request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Answers with status, extra header lines and body.
    Answer(u16, &'static str, Vec<u8>),
    /// Takes the request and never answers.
    Hang,
    /// Takes the request and closes the connection.
    Cut,
    /// Announces a body of this size and never sends it.
    Announce(u64),
    /// Announces a body, sends half of it and closes.
    CutBody,
}

pub(crate) fn answer(status: u16) -> Act {
    Act::Answer(status, "", b"{}".to_vec())
}

pub(crate) fn answer_with(status: u16, headers: &'static str) -> Act {
    Act::Answer(status, headers, b"{}".to_vec())
}

/// A vendor on a port of its own; once its script is used up it answers 200.
#[derive(Debug)]
pub(crate) struct Vendor {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    script: Mutex<VecDeque<Act>>,
    seen: Mutex<Vec<String>>,
    connections: AtomicUsize,
    arrived: Notify,
}

impl Vendor {
    pub(crate) async fn start(script: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        shared.script.lock().unwrap().extend(script);
        tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    shared.connections.fetch_add(1, Ordering::SeqCst);
                    tokio::spawn(serve(stream, Arc::clone(&shared)));
                }
            }
        });
        Self { url, shared }
    }

    /// The requests so far, head and body as sent.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// The connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Waits until a request has arrived.
    pub(crate) async fn arrived(&self) {
        self.shared.arrived.notified().await;
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    while let Some(request) = read_request(&mut stream).await {
        shared.seen.lock().unwrap().push(request);
        let act = shared.script.lock().unwrap().pop_front();
        shared.arrived.notify_one();
        let bytes = match act.unwrap_or_else(|| answer(200)) {
            Act::Answer(status, headers, body) => {
                let head = format!(
                    "HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n",
                    body.len()
                );
                [head.into_bytes(), body].concat()
            }
            Act::Announce(size) => {
                let head = format!("HTTP/1.1 200 X\r\ncontent-length: {size}\r\n\r\n");
                stream.write_all(head.as_bytes()).await.unwrap();
                return std::future::pending().await;
            }
            Act::Hang => return std::future::pending().await,
            Act::Cut => return,
            Act::CutBody => {
                let half = b"HTTP/1.1 200 X\r\ncontent-length: 10\r\n\r\nhalf";
                stream.write_all(half).await.unwrap();
                return;
            }
        };
        if stream.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let length: Option<usize> = value.parse().ok();
        length.filter(|_| name.eq_ignore_ascii_case("content-length"))
    });
    while bytes.len() < head_end + length.unwrap_or(0) {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
