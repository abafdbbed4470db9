//! Decompression that cannot run away.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;

use super::FileOptions;

/// Reads the content of a gzip file up to a ratio and a size.
pub(super) struct BoundedGzip {
    decoder: MultiGzDecoder<Counted>,
    read: Arc<AtomicU64>,
    written: u64,
    options: FileOptions,
}

impl BoundedGzip {
    pub(super) fn new(file: File, options: FileOptions) -> Self {
        let read = Arc::new(AtomicU64::new(0));
        let counted = Counted {
            file,
            read: Arc::clone(&read),
        };
        Self {
            decoder: MultiGzDecoder::new(counted),
            read,
            written: 0,
            options,
        }
    }
}

impl Read for BoundedGzip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.decoder.read(buffer)?;
        self.written += count as u64;
        let read = self.read.load(Ordering::Relaxed);
        let fair = FREE_BYTES.saturating_add(read.saturating_mul(self.options.gzip_ratio));
        if self.written > fair {
            return Err(io::Error::other("it expands beyond gzip_ratio"));
        }
        if self.written > self.options.gzip_bytes {
            return Err(io::Error::other("its content is larger than gzip_bytes"));
        }
        Ok(count)
    }
}

/// Counts the compressed bytes.
struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Content up to here is never a bomb.
const FREE_BYTES: u64 = 16 << 20;
