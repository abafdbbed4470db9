//! One address for several accounts, as at the vendor: the token decides which sandbox is asked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Which sandbox serves a token.
pub(crate) type Routes = BTreeMap<String, SocketAddr>;

/// A running relay; it stops with the test's runtime.
pub(crate) struct Relay {
    pub(crate) url: String,
    calls: Arc<AtomicUsize>,
}

impl Relay {
    pub(crate) async fn start(routes: Routes) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&calls);
        let routes = Arc::new(routes);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (routes, counter) = (Arc::clone(&routes), Arc::clone(&counter));
                tokio::spawn(async move { pass(client, &routes, &counter).await });
            }
        });
        Self { url, calls }
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Acquire)
    }
}

/// Passes one request on; the connection ends with its answer, or with a caller that leaves.
async fn pass(mut client: TcpStream, routes: &Routes, calls: &AtomicUsize) -> Option<()> {
    let request = read_request(&mut client).await?;
    calls.fetch_add(1, Ordering::AcqRel);
    let (head, body) = request;
    let (token, address) = routes
        .iter()
        .find(|(token, _)| head.contains(token.as_str()))?;
    let head = head.replace(token.as_str(), nextedge_sandbox::STATIC_TOKEN);
    let head = head.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    let mut server = TcpStream::connect(address).await.ok()?;
    server.write_all(head.as_bytes()).await.ok()?;
    server.write_all(&body).await.ok()?;
    let (mut from_client, mut to_client) = client.split();
    let mut answer = [0; 16 * 1024];
    let mut rest = [0; 1];
    loop {
        tokio::select! {
            read = server.read(&mut answer) => match read {
                Ok(n) if n > 0 => to_client.write_all(&answer[..n]).await.ok()?,
                _ => return Some(()),
            },
            _ = from_client.read(&mut rest) => return None,
        }
    }
}

async fn read_request(client: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let body = bytes.split_off(end + 4);
            let head = String::from_utf8(bytes).ok()?;
            return read_body(client, head, body).await;
        }
        match client.read(&mut chunk).await {
            Ok(n) if n > 0 => bytes.extend_from_slice(&chunk[..n]),
            _ => return None,
        }
    }
}

async fn read_body(
    client: &mut TcpStream,
    head: String,
    mut body: Vec<u8>,
) -> Option<(String, Vec<u8>)> {
    let lower = head.to_lowercase();
    assert!(
        !lower.contains("transfer-encoding"),
        "the relay reads no chunks"
    );
    let length = lower.split("content-length:").nth(1);
    let length = length.map_or(0, |rest| {
        rest.lines().next().unwrap().trim().parse().unwrap()
    });
    let mut chunk = [0; 16 * 1024];
    while body.len() < length {
        match client.read(&mut chunk).await {
            Ok(n) if n > 0 => body.extend_from_slice(&chunk[..n]),
            _ => return None,
        }
    }
    Some((head, body))
}
