//! What a session says of messages that were read, and what it is told.
