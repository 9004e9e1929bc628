//! What a message says: who sent it and its number, so that one that was kept wrongly is
//! found out by the one who reads it.

/// Bytes of a payload that are looked at.
pub(super) const BYTES: usize = 16;
/// All others.
pub(super) const FILLER: u8 = b'.';

/// Makes the payload that of a sender's message.
pub(super) fn write(payload: &mut [u8], sender: usize, sequence: u64) {
    if let Some(stamp) = payload.first_chunk_mut::<BYTES>() {
        *stamp = of(sender, sequence);
    }
}

/// Whether a payload is that of a sender's message.
pub(super) fn is_intact(payload: &[u8], sender: usize, sequence: u64) -> bool {
    let Some((stamp, rest)) = payload.split_first_chunk::<BYTES>() else { return false };
    *stamp == of(sender, sequence) && rest.iter().all(|byte| *byte == FILLER)
}

fn of(sender: usize, sequence: u64) -> [u8; BYTES] {
    (u128::from(sequence) << u64::BITS | sender as u128).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_other_message_is_found_out() {
        let mut payload = vec![FILLER; 20];
        write(&mut payload, 3, 7);
        assert!(is_intact(&payload, 3, 7));
        assert!(!is_intact(&payload, 7, 3) && !is_intact(&payload, 3, 8));
        assert!(!is_intact(&payload[..15], 3, 7));
        payload[19] = 0;
        assert!(!is_intact(&payload, 3, 7));
    }
}
