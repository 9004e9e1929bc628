//! The model is worth something: whatever bug is planted, a world notices it soon.

use answerback_directory::planted::{Planted as InShard, plant};
use answerback_sim::{Planted as AroundShards, Settings, World};

/// Worlds within which each bug must be noticed.
const SEEDS_MAX: u64 = 600;

/// How many worlds it takes, and what the last of them says.
fn noticed(settings: Settings) -> Option<(u64, String)> {
    (0..SEEDS_MAX).find_map(|seed| {
        let cores = 1 << (seed % 3);
        let world = World::new(seed, Settings { cores, ..settings });
        world.run().err().map(|breach| (seed + 1, breach.to_string()))
    })
}

#[test]
fn every_bug_of_a_shard_is_noticed() {
    let bugs = [
        InShard::PositionReused,
        InShard::LeavesAtFirstAck,
        InShard::NewDeviceAtStart,
        InShard::NewDeviceAtEnd,
        InShard::IncomingNotPersisted,
        InShard::FoldInPlace,
        InShard::ConfirmedAtHandOver,
        InShard::RejectionForgotten,
        InShard::ParkedRowStays,
        InShard::CopyToSender,
        InShard::JumpIgnored,
        InShard::ReadResurrects,
        InShard::ChangedUserEvicted,
        InShard::StrangerTaken,
        InShard::WritersNotPersisted,
        InShard::RecallUntold,
        InShard::PurgeUntold,
        InShard::PurgeResetsPositions,
        InShard::PurgeForgetsDecisions,
        InShard::PurgeStops,
        InShard::ShownUncommitted,
        InShard::HelloMovesCursor,
        InShard::AppliedUnread,
        InShard::DeliveredExpires,
        InShard::RevocationsNotPersisted,
        InShard::RevocationForgotten,
        InShard::RevokedGoesOn,
        InShard::OldTicketTaken,
        InShard::NameNotPersisted,
        InShard::WokenThoughTaken,
        InShard::WakeForgotten,
        InShard::WokenForEach,
        InShard::MarkFalls,
        InShard::ErasedByOneMark,
        InShard::MarksNotPersisted,
        InShard::TypingToAll,
        InShard::BlockIgnored,
        InShard::ChatSettingsNotPersisted,
        InShard::WithheldStays,
        InShard::MemberListStale,
        InShard::BodyStays,
        InShard::MemberFailureUntold,
        InShard::AckActs,
        InShard::VisibilityIgnored,
        InShard::ReceiptsNotJoined,
        InShard::UntoldNotPersisted,
        InShard::LeaverTells,
        InShard::ReceiptsToldAtOnce,
    ];
    let mut missed = Vec::new();
    for bug in bugs {
        plant(Some(bug));
        match noticed(Settings::default()) {
            Some((worlds, breach)) => println!("{bug:?}: {worlds} worlds: {breach}"),
            None => missed.push(bug),
        }
    }
    plant(None);
    assert!(missed.is_empty(), "not noticed: {missed:?}");
}

#[test]
fn every_bug_around_the_shards_is_noticed() {
    let bugs = [
        AroundShards::CommittedBeforeSync,
        AroundShards::TrimTooFar,
        AroundShards::AppliedAhead,
        AroundShards::CheckpointLost,
        AroundShards::TornCommit,
    ];
    let mut missed = Vec::new();
    for bug in bugs {
        match noticed(Settings { planted: Some(bug), ..Settings::default() }) {
            Some((worlds, breach)) => println!("{bug:?}: {worlds} worlds: {breach}"),
            None => missed.push(bug),
        }
    }
    assert!(missed.is_empty(), "not noticed: {missed:?}");
}
