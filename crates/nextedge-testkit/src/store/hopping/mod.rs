//! Many tasks hop between many tenants and are cut off in the middle of calls: afterwards each tenant
//! has exactly its own mail, each in one state.

mod ends;
mod world;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::task::JoinSet;

use super::StoreHarness;
use super::random::rng::Rng;
use world::World;

/// How many tasks hop, over how many tenants, and how often.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Hops {
    /// Tasks that hop at the same time.
    pub tasks: u64,
    /// Tenants, all with the same names for everything.
    pub tenants: usize,
    /// Hops of each task.
    pub hops: u64,
    /// How many hops of a hundred are cut off, if they do not come to their end before.
    pub cut_percent: u64,
    /// Where the generators start. The order of the tasks is the machine's all the same.
    pub seed: u64,
}

impl Hops {
    /// Sets the hops of each task; 40 by default.
    #[must_use]
    pub fn with_hops(mut self, hops: u64) -> Self {
        self.hops = hops;
        self
    }

    /// Sets the seed; 1 by default.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

impl Default for Hops {
    /// 64 tasks over 50 tenants, 40 hops each, half of them to be cut off.
    fn default() -> Self {
        Self {
            tasks: 64,
            tenants: 50,
            hops: 40,
            cut_percent: 50,
            seed: 1,
        }
    }
}

/// What happened while the tasks hopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hopped {
    /// Hops that came to their end.
    pub done: u64,
    /// Hops whose future was dropped.
    pub cut: u64,
    /// Messages in the ledgers of all tenants afterwards, all delivered.
    pub messages: u64,
}

/// Lets tasks hop between tenants, then finishes what they left, and checks each tenant's ledger
/// against a journal of its own.
///
/// A hop is one piece of work of one tenant, as a worker does it: list, fetch, process, deliver or read. A
/// cut hop is dropped at a random poll, so that calls are in flight and answers are lost. Needs a tokio runtime.
///
/// # Panics
///
/// If a call showed or changed what belongs to another tenant, or at the end a tenant lacks a
/// message, has one twice, has a foreign one, or its counts do not add up.
pub async fn hop(harness: &dyn StoreHarness, options: &Hops) -> Hopped {
    let world = Arc::new(World::new(harness, options.tenants).await);
    let mut tasks = JoinSet::new();
    for task in 0..options.tasks {
        let (world, options) = (Arc::clone(&world), options.clone());
        tasks.spawn(async move { hop_around(&world, task, &options).await });
    }
    let (mut done, mut cut) = (0, 0);
    while let Some(task) = tasks.join_next().await {
        let (task_done, task_cut) = task.expect("a task broke a promise");
        (done, cut) = (done + task_done, cut + task_cut);
    }
    let messages = ends::finish_and_check(&world).await;
    Hopped {
        done,
        cut,
        messages,
    }
}

async fn hop_around(world: &World, task: u64, options: &Hops) -> (u64, u64) {
    let mut rng = Rng(options.seed.wrapping_mul(1_000_003).wrapping_add(task));
    let (mut done, mut cut) = (0, 0);
    for _ in 0..options.hops {
        let polls = if rng.percent(options.cut_percent) {
            1 + rng.below(MOST_POLLS)
        } else {
            u64::MAX
        };
        match cut_off(world.hop(&mut rng), polls).await {
            Some(()) => done += 1,
            None => cut += 1,
        }
        tokio::task::yield_now().await;
    }
    (done, cut)
}

/// Polls a future so often, then drops it.
async fn cut_off<F: Future>(future: F, polls: u64) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        let polled = future.as_mut().poll(context).map(Some);
        left -= 1;
        if polled.is_pending() && left == 0 {
            return Poll::Ready(None);
        }
        polled
    })
    .await
}

/// A cut hop is dropped after at most so many polls; a hop takes about ten.
const MOST_POLLS: u64 = 5;
