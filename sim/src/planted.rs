//! Bugs of a box's shell and disk that a world can be given, to see that the model notices.
//! Those of the shards stand in `answerback_directory::planted`.

/// What is wrong with the shell or the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// The shards hear of a commit before it is synced.
    CommittedBeforeSync,
    /// A checkpoint trims a batch behind its place.
    TrimTooFar,
    /// A checkpoint names a later place than its rows belong to.
    AppliedAhead,
    /// A checkpoint counts as written although it is not.
    CheckpointLost,
    /// A group of batches is torn by a crash.
    TornCommit,
}

/// What is planted: mostly nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plants(pub(crate) Option<Planted>);

impl Plants {
    pub(crate) fn has(self, bug: Planted) -> bool {
        self.0 == Some(bug)
    }
}
