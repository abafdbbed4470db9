//! A few threads with large stacks for mail that should not be read on an async worker.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, mpsc};
use std::thread;

use tokio::sync::{Semaphore, oneshot};

/// Runs a task on a reading thread; waits while all are busy and the short queue is full.
///
/// None if no thread could be started or the task was lost.
pub(crate) async fn run<T: Send + 'static>(task: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let pool = POOL.as_ref()?;
    let _place = pool.places.acquire().await.ok()?;
    let (answer, answered) = oneshot::channel();
    let task: Task = Box::new(move || {
        // Nobody waits any more if the caller was dropped.
        drop(answer.send(task()));
    });
    pool.tasks.send(task).ok()?;
    answered.await.ok()
}

type Task = Box<dyn FnOnce() + Send>;

struct Pool {
    tasks: mpsc::SyncSender<Task>,
    /// One permit for each task that runs or waits, so that sending never blocks.
    places: Semaphore,
}

static POOL: LazyLock<Option<Pool>> = LazyLock::new(|| {
    let threads = thread::available_parallelism().map_or(2, usize::from);
    let threads = threads.clamp(2, MAX_THREADS);
    let places = threads * 2;
    let (tasks, waiting) = mpsc::sync_channel::<Task>(places);
    let waiting = Arc::new(Mutex::new(waiting));
    let mut started = 0;
    for number in 0..threads {
        let waiting = Arc::clone(&waiting);
        let spawned = thread::Builder::new()
            .name(format!("mail-reader-{number}"))
            .stack_size(STACK_BYTES)
            .spawn(move || work(&waiting));
        started += usize::from(spawned.is_ok());
    }
    (started > 0).then(|| Pool {
        tasks,
        places: Semaphore::new(places),
    })
});

fn work(waiting: &Mutex<mpsc::Receiver<Task>>) {
    loop {
        let task = waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        match task {
            // the caller sees that its task was lost; the thread stays for the others
            Ok(task) => drop(catch_unwind(AssertUnwindSafe(task))),
            Err(_) => return,
        }
    }
}

const STACK_BYTES: usize = 16 << 20;
const MAX_THREADS: usize = 4;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn a_panicking_task_costs_no_thread() {
        for _ in 0..MAX_THREADS * 2 {
            assert_eq!(run(|| panic!("scripted")).await, None::<()>);
        }
        assert_eq!(run(|| 7).await, Some(7));
    }
}
