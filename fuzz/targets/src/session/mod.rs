//! A client's session between an app, a clock and any server.
//!
//! ```text
//! input  │ operations, see `operation` │
//! ```
//! Asserted: nothing panics; what the session writes is what a client may write at that
//! moment; it acknowledges nothing that was not stored, and takes entries in their order and
//! each once; a message leaves it only with a word to the app. With an honest server in the
//! end, every number is decided and every request answered.

mod frames;
mod operation;
mod server;
mod watched;

use arbitrary::Unstructured;

use operation::Operation;
use watched::Watched;

/// Operations of one input.
const OPERATIONS_MAX: usize = 300;

/// Runs the target on one input.
pub fn run(input: &[u8]) {
    let mut input = Unstructured::new(input);
    let mut watched = Watched::new();
    for _ in 0..OPERATIONS_MAX {
        if input.is_empty() {
            break;
        }
        let Ok(operation) = input.arbitrary::<Operation<'_>>() else { break };
        watched.take(operation);
    }
    watched.end();
}
