//! A way to the CRM that keeps an answer back, so that a test can end the program at that moment.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// Says whether no more answers get through.
type Hold = Arc<dyn Fn() -> bool + Send + Sync>;

/// Forwards requests; once `hold` says so, answers stay here.
pub(crate) struct Relay {
    address: SocketAddr,
    held: Arc<(Mutex<bool>, Condvar)>,
}

impl Relay {
    pub(crate) fn start(to: SocketAddr, hold: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let held = Arc::new((Mutex::new(false), Condvar::new()));
        let (hold, told): (Hold, _) = (Arc::new(hold), Arc::clone(&held));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(to) else {
                    continue;
                };
                let back = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || copy(client, server, || ()));
                let (hold, told) = (Arc::clone(&hold), Arc::clone(&told));
                thread::spawn(move || copy(back.1, back.0, || keep_back(&hold, &told)));
            }
        });
        Self { address, held }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until an answer is kept back; `false` after 20 s without one.
    pub(crate) fn wait(&self) -> bool {
        let (held, changed) = &*self.held;
        let guard = held.lock().unwrap();
        let waited = changed.wait_timeout_while(guard, Duration::from_secs(20), |held| !*held);
        *waited.unwrap().0
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, before: impl Fn()) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        before();
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    // the other side may be gone already
    let _ = to.shutdown(Shutdown::Write);
}

/// Returns if answers get through; otherwise says that one does not, and never returns.
fn keep_back(hold: &Hold, told: &(Mutex<bool>, Condvar)) {
    if !hold() {
        return;
    }
    *told.0.lock().unwrap() = true;
    told.1.notify_all();
    loop {
        thread::park();
    }
}
