//! Two shards of a box, their sessions, their disk and whatever happens to them.
//!
//! ```text
//! input  │ settings u8 │ operations, see `operation` │
//! ```
//! Asserted: nothing panics; each request gets one answer, of its own kind and number; a
//! decision is made once; every frame can be read by a client; positions rise, nothing
//! changes under one, no device finds a gap; messages of a device keep their order. And of
//! the state: that of a restart, and that of a replay from the first record on with nothing
//! ever checkpointed or evicted, are the one that lived, row by row. When everybody has
//! acknowledged everything, nothing is left.

mod disk;
mod ending;
mod frames;
mod groups;
mod operation;
mod own;
mod requests;
mod seeds;
mod watch;
mod world;

use arbitrary::Unstructured;

use operation::Operation;
pub(crate) use seeds::seeds;
use world::World;

/// Operations of one input.
const OPERATIONS_MAX: usize = 400;

/// Runs the target on one input.
pub fn run(input: &[u8]) {
    let mut input = Unstructured::new(input);
    let Ok(settings) = input.arbitrary::<u8>() else { return };
    let mut world = World::new(settings);
    for _ in 0..OPERATIONS_MAX {
        if input.is_empty() {
            break;
        }
        let Ok(operation) = input.arbitrary::<Operation>() else { break };
        world.take(operation);
    }
    world.end();
}
