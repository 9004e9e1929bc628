//! What many runs say together.

/// The middle value; between the two middle ones of an even number.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len().is_multiple_of(2) {
        let lower = *values.get(middle - 1)?;
        return Some(f64::midpoint(lower, upper));
    }
    Some(upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_found_in_any_order() {
        assert_eq!(median([3.0, 1.0, 100.0].into_iter()), Some(3.0));
        assert_eq!(median([4.0, 1.0, 100.0, 3.0].into_iter()), Some(3.5));
        assert_eq!(median([7.0].into_iter()), Some(7.0));
        assert_eq!(median(std::iter::empty()), None);
    }
}
