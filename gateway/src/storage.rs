//! The storage thread: the one that waits for the disk, for all cores.
//!
//! It takes what the cores have for it at the time, writes all their batches with one
//! commit, tells each, and looks again. Checkpoints go when no commit waits, or enough have
//! passed them. After a fault it says so to every core and writes nothing more.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use answerback_directory::mailbox::{Doorbell, Receiver, Sender, Wake, mailbox};
use answerback_directory::ports::{Journal, StorageFault};
use answerback_directory::recovery::panic_message;
use answerback_directory::shard::checkpoint::Checkpoint;
use answerback_proto::record::Batch;
use crossbeam_utils::sync::{Parker, Unparker};

use crate::clock::Clock;
use crate::limits::{COMMITS_BEFORE_CHECKPOINT_MAX, MARK_PERIOD_MS, STORAGE_QUEUE};
use crate::stats::StorageMeter;

/// What a core has to be written.
#[derive(Debug)]
enum Task {
    /// Batches of different partitions.
    Commit(Vec<Batch>),
    /// The changes of a partition.
    Checkpoint(Box<Checkpoint>),
    /// Nothing more.
    End,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The batches are durable.
    Committed,
    /// The checkpoint is written.
    Checkpointed,
    /// Nothing is known any more.
    Fault,
}

/// A core's end. It has at most one commit and one checkpoint under way.
pub(crate) struct StorageLink {
    tasks: Sender<Task>,
    verdicts: Receiver<Verdict>,
}

/// The thread's state before it runs.
pub(crate) struct Storage<J> {
    journal: J,
    doorbell: Doorbell,
    parker: Parker,
    desks: Vec<Desk>,
    /// Checkpoints, each with its core.
    checkpoints: VecDeque<(usize, Checkpoint)>,
    /// Commits that have passed the first of them.
    passed: usize,
    clock: Clock,
    /// When to note how far the commits go, ms.
    mark_at_ms: u64,
    is_disk_low: Arc<AtomicBool>,
    meter: Arc<StorageMeter>,
}

/// A core, seen from here.
struct Desk {
    tasks: Receiver<Task>,
    verdicts: Sender<Verdict>,
    is_ended: bool,
}

struct ThreadWaker(Unparker);

impl Wake for ThreadWaker {
    fn wake(&self) {
        self.0.unpark();
    }
}

impl StorageLink {
    /// Has batches committed.
    pub(crate) fn commit(&self, batches: Vec<Batch>) {
        self.submit(Task::Commit(batches));
    }

    /// Has a checkpoint written.
    pub(crate) fn checkpoint(&self, checkpoint: Checkpoint) {
        self.submit(Task::Checkpoint(Box::new(checkpoint)));
    }

    /// Takes what became of it.
    pub(crate) fn receive(&mut self, each: impl FnMut(Verdict)) {
        self.verdicts.drain(STORAGE_QUEUE, each);
    }

    fn submit(&self, task: Task) {
        let is_sent = self.tasks.try_send(task).is_ok();
        debug_assert!(is_sent, "a core has at most one of each under way");
        self.tasks.notify();
    }
}

impl Drop for StorageLink {
    /// A core that ends, whatever for, must not keep the thread waiting.
    fn drop(&mut self) {
        self.submit(Task::End);
    }
}

impl<J: Journal> Storage<J> {
    /// A thread without cores. It says in `is_disk_low` whether new messages may be taken.
    pub(crate) fn new(journal: J, is_disk_low: Arc<AtomicBool>) -> Self {
        let parker = Parker::new();
        let doorbell = Doorbell::new(Arc::new(ThreadWaker(parker.unparker().clone())));
        Self {
            journal,
            doorbell,
            parker,
            desks: Vec::new(),
            checkpoints: VecDeque::new(),
            passed: 0,
            clock: Clock::start(),
            mark_at_ms: 0,
            is_disk_low,
            meter: Arc::default(),
        }
    }

    /// Where it counts what it does.
    pub(crate) fn meter(&self) -> Arc<StorageMeter> {
        Arc::clone(&self.meter)
    }

    /// A link for the next core, which sleeps at `doorbell`.
    pub(crate) fn link(&mut self, doorbell: &mut Doorbell) -> StorageLink {
        let (tasks, task_receiver) = mailbox(STORAGE_QUEUE, &mut self.doorbell);
        let (verdict_sender, verdicts) = mailbox(STORAGE_QUEUE, doorbell);
        let (tasks_here, verdicts_here) = (task_receiver, verdict_sender);
        self.desks.push(Desk { tasks: tasks_here, verdicts: verdicts_here, is_ended: false });
        StorageLink { tasks, verdicts }
    }

    /// Writes until every core has ended.
    ///
    /// # Errors
    /// The fault after which nothing was written.
    pub(crate) fn run(mut self) -> Result<(), StorageFault> {
        let ended = catch_unwind(AssertUnwindSafe(|| self.serve()))
            .unwrap_or_else(|panic| Err(StorageFault::new(panic_message(panic.as_ref()))));
        if ended.is_err() {
            self.desks.iter().for_each(|desk| desk.tell(Verdict::Fault));
        }
        ended
    }

    fn serve(&mut self) -> Result<(), StorageFault> {
        let mut group = Vec::new();
        let mut waiting = Vec::new();
        loop {
            self.take_tasks(&mut group, &mut waiting);
            self.mark_if_due()?;
            if !group.is_empty() && self.passed < COMMITS_BEFORE_CHECKPOINT_MAX {
                self.passed += usize::from(!self.checkpoints.is_empty());
                let begun_us = self.clock.now_us();
                self.journal.commit(&group)?;
                self.meter.count_commit(&group, self.clock.now_us() - begun_us);
                group.clear();
                waiting.drain(..).for_each(|core| self.tell(core, Verdict::Committed));
            } else if let Some((core, checkpoint)) = self.checkpoints.pop_front() {
                self.passed = 0;
                let begun_us = self.clock.now_us();
                self.journal.checkpoint(&checkpoint)?;
                self.meter.count_checkpoint(self.clock.now_us() - begun_us);
                self.tell(core, Verdict::Checkpointed);
            } else if self.desks.iter().all(|desk| desk.is_ended) {
                return self.journal.mark();
            } else if self.doorbell.prepare_sleep() {
                self.parker.park_timeout(Duration::from_millis(MARK_PERIOD_MS));
                self.doorbell.awake();
            }
        }
    }

    /// Notes how far the commits go, and looks whether there is room for more.
    fn mark_if_due(&mut self) -> Result<(), StorageFault> {
        let now_ms = self.clock.now_us() / 1000;
        if now_ms < self.mark_at_ms {
            return Ok(());
        }
        self.mark_at_ms = now_ms + MARK_PERIOD_MS;
        self.meter.note_waiting(self.checkpoints.len());
        self.is_disk_low.store(self.journal.is_low_on_space(), Ordering::Relaxed);
        self.journal.mark()
    }

    /// Takes what there is: batches into `group`, whoever waits for them into `waiting`.
    fn take_tasks(&mut self, group: &mut Vec<Batch>, waiting: &mut Vec<usize>) {
        for (core, desk) in self.desks.iter_mut().enumerate() {
            let (is_ended, checkpoints) = (&mut desk.is_ended, &mut self.checkpoints);
            desk.tasks.drain(STORAGE_QUEUE, |task| match task {
                Task::Commit(mut batches) => {
                    group.append(&mut batches);
                    waiting.push(core);
                }
                Task::Checkpoint(checkpoint) => checkpoints.push_back((core, *checkpoint)),
                Task::End => *is_ended = true,
            });
        }
    }

    fn tell(&self, core: usize, verdict: Verdict) {
        if let Some(desk) = self.desks.get(core) {
            desk.tell(verdict);
        }
    }
}

impl Desk {
    fn tell(&self, verdict: Verdict) {
        let is_sent = self.verdicts.try_send(verdict).is_ok();
        debug_assert!(is_sent, "there is one verdict a task, and one fault");
        self.verdicts.notify();
    }
}

#[cfg(test)]
mod tests;
