//! A data directory that a command opens itself, where no box serves it.

use std::path::Path;

use answerback_proto::limits::PARTITIONS_DEFAULT;
use answerback_store::{NewBox, Store};

use crate::exit::Failure;
use crate::random;

/// The file that each data directory has.
const FORMAT: &str = "answerback.format";

/// Opens a directory that is a box's already.
pub(super) fn open_existing(data: &Path) -> Result<Store, Failure> {
    if !data.join(FORMAT).is_file() {
        let data = data.display();
        return Err(Failure::new(format_args!("{data} holds no box's data; check the path")));
    }
    // A start that was killed very early may have left nothing but the file.
    open_or_make(data)
}

/// The same, and a directory that is missing is made.
pub(super) fn open_or_make(data: &Path) -> Result<Store, Failure> {
    let new_box = NewBox { partitions: PARTITIONS_DEFAULT, secret: random::bytes()? };
    Ok(Store::open(data, new_box)?)
}
