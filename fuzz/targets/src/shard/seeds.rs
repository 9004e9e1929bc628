//! Lists of operations that no fuzzer would come upon soon: a group needs a login, members and time
//! to meet anything.

/// Inputs, and operations of each.
const INPUTS: u64 = 48;
const OPERATIONS: u64 = 360;
/// Of bytes behind an operation's own: below it a number is the one that a correct peer would send.
const USUAL: u8 = 127;

/// How often an operation comes, the bytes that say which it is, and how many others it takes.
const WEIGHTS: &[(u64, &[u8], u8)] = &[
    (10, &[0], 5),      // connect
    (1, &[24], 1),      // close
    (8, &[32], 6),      // send
    (2, &[80], 4),      // recall
    (1, &[90], 4),      // skip
    (2, &[98], 3),      // read
    (10, &[106], 2),    // acknowledge
    (1, &[140], 1),     // revoke a user
    (1, &[141], 1),     // purge a user
    (1, &[142], 1),     // revoke
    (5, &[150], 2),     // time passes
    (6, &[165], 1),     // take
    (6, &[177], 1),     // commit
    (6, &[189], 1),     // hear
    (6, &[201], 1),     // read on
    (6, &[211], 2),     // mail
    (4, &[219], 1),     // freeze
    (4, &[225], 1),     // write
    (4, &[231], 1),     // tell
    (3, &[237], 2),     // crash
    (5, &[243], 0),     // settle
    (4, &[247, 0], 3),  // make a group
    (12, &[247, 3], 5), // post
    (1, &[247, 10], 4), // skip of it
    (6, &[247, 11], 4), // change
    (1, &[247, 14], 3), // rename
    (2, &[247, 15], 3), // describe
    (4, &[247, 16], 3), // receipts
    (5, &[247, 17], 3), // read
    (3, &[249, 0], 3),  // contacts
    (3, &[249, 4], 2),  // writers
    (1, &[249, 8], 2),  // visibility
    (2, &[249, 9], 3),  // watch
    (2, &[249, 11], 1), // act
    (1, &[249, 13], 2), // type
    (2, &[249, 14], 2), // list
    (1, &[253], 3),     // treat
    (1, &[251], 4),     // delete
];

/// The inputs.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    (0..INPUTS).map(seed).collect()
}

fn seed(number: u64) -> Vec<u8> {
    let mut random = Random(number + 1);
    let total = WEIGHTS.iter().map(|(weight, ..)| weight).sum::<u64>();
    // Which settings it has.
    let mut input = vec![number as u8];
    if number / 4 % 2 == 1 {
        begin_among_strangers(&mut input);
    }
    for _ in 0..OPERATIONS {
        let mut drawn = random.next() % total;
        for &(weight, begin, others) in WEIGHTS {
            if let Some(rest) = drawn.checked_sub(weight) {
                drawn = rest;
                continue;
            }
            input.extend_from_slice(begin);
            input.extend((0..others).map(|_| random.next() as u8 & USUAL));
            break;
        }
    }
    input
}

/// Everybody logs in and takes first messages of contacts only, before anybody has written; then
/// the box writes a checkpoint of that, and dies.
fn begin_among_strangers(input: &mut Vec<u8>) {
    for who in [0, 3, 6, 9] {
        input.extend_from_slice(&[0, who, 0, 0, 0, USUAL]);
        input.extend_from_slice(&[243]);
        input.extend_from_slice(&[249, 4, who, 1]);
    }
    input.extend_from_slice(&[243]);
    for partition in [0, 1] {
        input.extend_from_slice(&[219, partition, 225, partition, 231, partition]);
    }
    input.extend_from_slice(&[237, 0, 0]);
}

/// The same numbers everywhere (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}
