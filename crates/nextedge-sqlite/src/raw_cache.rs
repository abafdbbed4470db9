//! Recently committed raw mail, bounded by bytes: what was just fetched is processed next.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use nextedge_core::MessageUid;

/// A store-wide tenant number and a message.
pub(crate) type RawKey = (i64, MessageUid);

/// Raw mail of a transaction that was not committed yet.
pub(crate) struct Fresh {
    pub(crate) key: RawKey,
    pub(crate) raw: Bytes,
}

/// First in, first out; only committed bytes enter.
pub(crate) struct RawCache {
    most: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    bytes: usize,
    order: VecDeque<RawKey>,
    raws: HashMap<RawKey, Bytes>,
}

impl RawCache {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            kept: Mutex::default(),
        }
    }

    /// Takes committed bytes in; the oldest go until the limit holds.
    pub(crate) fn keep(&self, fresh: Vec<Fresh>) {
        if self.most == 0 || fresh.is_empty() {
            return;
        }
        let mut kept = self.lock();
        for Fresh { key, raw } in fresh {
            kept.bytes += raw.len();
            kept.order.push_back(key);
            if let Some(old) = kept.raws.insert(key, raw) {
                kept.bytes -= old.len();
            }
        }
        while kept.bytes > self.most {
            let Some(oldest) = kept.order.pop_front() else {
                break;
            };
            if let Some(old) = kept.raws.remove(&oldest) {
                kept.bytes -= old.len();
            }
        }
    }

    /// Returns the bytes of a message, if they are still here.
    pub(crate) fn get(&self, key: RawKey) -> Option<Bytes> {
        self.lock().raws.get(&key).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for RawCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawCache")
            .field("most", &self.most)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(name: &[u8], bytes: usize) -> Fresh {
        Fresh {
            key: (1, MessageUid::derive(&[name])),
            raw: Bytes::from(vec![0; bytes]),
        }
    }

    #[test]
    fn the_oldest_go_when_the_limit_is_passed() {
        let cache = RawCache::new(10);
        cache.keep(vec![fresh(b"a", 6), fresh(b"b", 4)]);
        assert!(cache.get((1, MessageUid::derive(&[b"a"]))).is_some());
        cache.keep(vec![fresh(b"c", 1)]);
        assert!(cache.get((1, MessageUid::derive(&[b"a"]))).is_none());
        assert!(cache.get((1, MessageUid::derive(&[b"b"]))).is_some());
        assert!(cache.get((2, MessageUid::derive(&[b"b"]))).is_none());
    }

    #[test]
    fn a_replaced_mail_counts_once() {
        let cache = RawCache::new(10);
        cache.keep(vec![fresh(b"a", 6), fresh(b"a", 6)]);
        assert!(cache.get((1, MessageUid::derive(&[b"a"]))).is_some());
    }
}
