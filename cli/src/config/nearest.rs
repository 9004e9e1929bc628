//! What somebody may have meant.

/// More typing errors than this make another word.
const DISTANCE_MAX: usize = 3;

/// The known name that is nearest to a text, if one is near.
pub(super) fn nearest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = names.into_iter().map(|name| (strsim::osa_distance(text, name), name));
    let near = near.filter(|(distance, name)| *distance <= DISTANCE_MAX.min(name.len() / 2));
    near.min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}
