//! Where an id lives: looked up for every message, and resolved anew for every membership.

use std::hint::black_box;

use answerback_directory::partition_table::{PartitionSecret, PartitionTable};
use answerback_directory::ring::{BoxId, Ring};
use answerback_proto::id::{PartitionId, UserId};
use criterion::Criterion;

const SECRET: PartitionSecret = [7; 16];
const PARTITIONS: u16 = 1024;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    lookups(&mut criterion);
    memberships(&mut criterion);
    criterion.final_summary();
}

fn boxes() -> impl Iterator<Item = BoxId> {
    (1..=8).map(BoxId)
}

fn lookups(criterion: &mut Criterion) {
    let partitions = PartitionTable::new(&SECRET, PARTITIONS, 4);
    let ring = Ring::new(&SECRET, boxes());
    let owners = ring.table(PARTITIONS);
    let mut group = criterion.benchmark_group("ring/lookup");
    let mut user = 0;
    let mut next_user = move || {
        user += 1;
        UserId(black_box(user))
    };
    group.bench_function("core of a user", |bencher| {
        bencher.iter(|| partitions.core_of(partitions.partition_of(next_user())));
    });
    group.bench_function("box of a partition, table", |bencher| {
        bencher.iter(|| owners.get(usize::from(black_box(PartitionId(700)).0)).copied());
    });
    group.bench_function("box of a partition, ring", |bencher| {
        bencher.iter(|| ring.owner(black_box(PartitionId(700))));
    });
    group.finish();
}

fn memberships(criterion: &mut Criterion) {
    let ring = Ring::new(&SECRET, boxes());
    let mut group = criterion.benchmark_group("ring/membership");
    group.bench_function("ring of 8 boxes", |bencher| {
        bencher.iter(|| Ring::new(&SECRET, black_box(boxes())));
    });
    group.bench_function("table of 1024 partitions", |bencher| {
        bencher.iter(|| ring.table(black_box(PARTITIONS)));
    });
    group.finish();
}
