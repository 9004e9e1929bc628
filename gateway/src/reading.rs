//! The reader threads: what shards need of the disk is read here, never on a core.
//!
//! A partition's reads are all done by one of them, in the order in which they were asked
//! for. A read that fails is a storage fault like any other: the box ends without a write.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use answerback_directory::mailbox::{Doorbell, Receiver, Sender, Wake, mailbox};
use answerback_directory::ports::{StateReader, StorageFault};
use answerback_directory::recovery::panic_message;
use answerback_directory::shard::{Load, Loaded};
use crossbeam_utils::sync::{Parker, Unparker};

use crate::limits::{READS_PER_TICK, READS_QUEUED_MAX};

/// What a core asks of a reader thread.
enum Task {
    Read(Load),
    End,
}

/// What became of it.
pub(crate) enum Outcome {
    /// It was read.
    Loaded(Loaded),
    /// The disk cannot be trusted.
    Fault,
}

/// A core's end of all reader threads.
pub(crate) struct ReadLink {
    readers: Vec<Desk>,
    /// What found a queue full, in order.
    waiting: VecDeque<Load>,
}

struct Desk {
    tasks: Sender<Task>,
    outcomes: Receiver<Outcome>,
}

/// A reader thread's state before it runs.
pub(crate) struct ReaderThread<R> {
    reader: Arc<R>,
    doorbell: Doorbell,
    parker: Parker,
    cores: Vec<Core>,
}

/// A core, seen from here.
struct Core {
    tasks: Receiver<Task>,
    outcomes: Sender<Outcome>,
    is_ended: bool,
}

struct ThreadWaker(Unparker);

impl Wake for ThreadWaker {
    fn wake(&self) {
        self.0.unpark();
    }
}

impl ReadLink {
    /// Has something read.
    pub(crate) fn read(&mut self, load: Load) {
        self.waiting.push_back(load);
    }

    /// Hands over what was asked for in this tick; whether all of it found room.
    pub(crate) fn flush(&mut self) -> bool {
        let mut is_told = false;
        while let Some(load) = self.waiting.pop_front() {
            let Some(desk) = self.desk_of(&load) else { continue };
            if desk.tasks.try_send(Task::Read(load)).is_err() {
                self.waiting.push_front(load);
                break;
            }
            is_told = true;
        }
        if is_told {
            self.readers.iter().for_each(|desk| desk.tasks.notify());
        }
        self.waiting.is_empty()
    }

    /// Takes what was read.
    pub(crate) fn receive(&mut self, mut each: impl FnMut(Outcome)) {
        for desk in &mut self.readers {
            desk.outcomes.drain(READS_PER_TICK, &mut each);
        }
    }

    fn desk_of(&self, load: &Load) -> Option<&Desk> {
        let index = usize::from(load.partition.0) % self.readers.len().max(1);
        self.readers.get(index)
    }
}

impl Drop for ReadLink {
    /// A core that ends must not keep the threads waiting, whatever is still to be read.
    fn drop(&mut self) {
        for desk in &mut self.readers {
            desk.outcomes.drain(usize::MAX, drop);
            while desk.tasks.try_send(Task::End).is_err() {
                desk.tasks.notify();
                desk.outcomes.drain(usize::MAX, drop);
                std::thread::yield_now();
            }
            desk.tasks.notify();
        }
    }
}

/// As many reader threads, without cores.
pub(crate) fn reader_threads<R: StateReader>(reader: R, count: usize) -> Vec<ReaderThread<R>> {
    let reader = Arc::new(reader);
    let new = |_| {
        let parker = Parker::new();
        let doorbell = Doorbell::new(Arc::new(ThreadWaker(parker.unparker().clone())));
        ReaderThread { reader: Arc::clone(&reader), doorbell, parker, cores: Vec::new() }
    };
    (0..count).map(new).collect()
}

/// A link for the next core, which sleeps at `doorbell`.
pub(crate) fn link<R>(threads: &mut [ReaderThread<R>], doorbell: &mut Doorbell) -> ReadLink {
    let readers = threads.iter_mut().map(|thread| {
        let (tasks, task_receiver) = mailbox(READS_QUEUED_MAX, &mut thread.doorbell);
        let (outcome_sender, outcomes) = mailbox(READS_QUEUED_MAX, doorbell);
        thread.cores.push(Core { tasks: task_receiver, outcomes: outcome_sender, is_ended: false });
        Desk { tasks, outcomes }
    });
    ReadLink { readers: readers.collect(), waiting: VecDeque::new() }
}

impl<R: StateReader> ReaderThread<R> {
    /// Reads until every core has ended.
    ///
    /// # Errors
    /// The first read that failed.
    pub(crate) fn run(mut self) -> Result<(), StorageFault> {
        let ended = catch_unwind(AssertUnwindSafe(|| self.serve()))
            .unwrap_or_else(|panic| Err(StorageFault::new(panic_message(panic.as_ref()))));
        if ended.is_err() {
            for core in &self.cores {
                // A full queue has a core behind it that will look again.
                while core.outcomes.try_send(Outcome::Fault).is_err() {
                    core.outcomes.notify();
                    std::thread::yield_now();
                }
                core.outcomes.notify();
            }
            self.await_ends();
        }
        ended
    }

    /// After a fault nothing is read any more, but no core may wait for room in vain.
    fn await_ends(&mut self) {
        while !self.cores.iter().all(|core| core.is_ended) {
            for Core { tasks, is_ended, .. } in &mut self.cores {
                tasks.drain(READS_PER_TICK, |task| *is_ended |= matches!(task, Task::End));
            }
            if self.doorbell.prepare_sleep() {
                self.parker.park();
                self.doorbell.awake();
            }
        }
    }

    fn serve(&mut self) -> Result<(), StorageFault> {
        loop {
            let mut has_read = false;
            for core in &mut self.cores {
                has_read |= core.serve(self.reader.as_ref())?;
            }
            if has_read {
                continue;
            }
            if self.cores.iter().all(|core| core.is_ended) {
                return Ok(());
            }
            if self.doorbell.prepare_sleep() {
                self.parker.park();
                self.doorbell.awake();
            }
        }
    }
}

impl Core {
    /// Reads some of what the core has asked for; whether there was anything.
    fn serve(&mut self, reader: &dyn StateReader) -> Result<bool, StorageFault> {
        let mut loads = Vec::new();
        let is_ended = &mut self.is_ended;
        self.tasks.drain(READS_PER_TICK, |task| match task {
            Task::Read(load) => loads.push(load),
            Task::End => *is_ended = true,
        });
        let has_any = !loads.is_empty();
        for load in loads {
            let mut outcome = Outcome::Loaded(load.read(reader)?);
            while let Err(unsent) = self.outcomes.try_send(outcome) {
                outcome = unsent;
                self.outcomes.notify();
                std::thread::yield_now();
            }
        }
        if has_any {
            self.outcomes.notify();
        }
        Ok(has_any)
    }
}
