//! What a line that begins with a slash asks for.

use answerback_proto::id::UserId;

/// The commands, as the help lists them; the last ones go where there is no room.
pub(super) const ALL: &[(&str, &str)] = &[
    ("/to ID", "write to another user"),
    ("/recall", "take your last message back"),
    ("/delete", "delete this chat"),
    ("/block", "let nothing come; /unblock"),
    ("/mute", "no notifications; /unmute"),
    ("/report", "tell the operator"),
    ("/resend", "send what failed again"),
    ("/quit", "leave"),
];

/// A line that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Written {
    Text(String),
    To(UserId),
    Recall,
    Resend,
    Delete,
    Block(bool),
    Mute(bool),
    Report,
    Quit,
    /// It is none of these, for this reason.
    Wrong(String),
}

/// Reads a line; two slashes begin a text with one.
pub(super) fn read(line: &str) -> Written {
    if let Some(behind) = line.strip_prefix("//") {
        return Written::Text(format!("/{behind}"));
    }
    if !line.starts_with('/') {
        return Written::Text(line.to_owned());
    }
    let mut words = line.split_whitespace();
    match (words.next().unwrap_or_default(), words.next(), words.next()) {
        ("/to", Some(user), None) => peer(user).map_or_else(Written::Wrong, Written::To),
        ("/to", ..) => Written::Wrong("write the user's number behind it: /to 3".to_owned()),
        ("/recall", None, None) => Written::Recall,
        ("/resend", None, None) => Written::Resend,
        ("/delete", None, None) => Written::Delete,
        ("/block", None, None) => Written::Block(true),
        ("/unblock", None, None) => Written::Block(false),
        ("/mute", None, None) => Written::Mute(true),
        ("/unmute", None, None) => Written::Mute(false),
        ("/report", None, None) => Written::Report,
        ("/quit", None, None) => Written::Quit,
        (other, ..) => {
            let known: Vec<_> = ALL.iter().map(|(command, _)| *command).collect();
            let known = known.join(", ");
            Written::Wrong(format!("{other} is none of {known}; begin with // to send it"))
        }
    }
}

/// Reads a user's id.
pub(super) fn peer(text: &str) -> Result<UserId, String> {
    text.trim().parse().map_err(|error| format!("{}: {error}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_begin_with_a_slash_and_all_else_is_text() {
        assert_eq!(read("/to 3"), Written::To(UserId(3)));
        assert_eq!(read("/recall "), Written::Recall);
        assert_eq!(read("/resend"), Written::Resend);
        assert_eq!(read("/delete"), Written::Delete);
        assert_eq!(read("/block"), Written::Block(true));
        assert_eq!(read("/unblock"), Written::Block(false));
        assert_eq!(read("/mute"), Written::Mute(true));
        assert_eq!(read("/unmute"), Written::Mute(false));
        assert_eq!(read("/report"), Written::Report);
        assert_eq!(read("/quit"), Written::Quit);
        assert_eq!(read("and/or"), Written::Text("and/or".to_owned()));
        assert_eq!(read("//quit"), Written::Text("/quit".to_owned()));
        assert_eq!(read(" /quit"), Written::Text(" /quit".to_owned()));
    }

    #[test]
    fn what_is_wrong_says_what_would_be_right() {
        let reason = |line| match read(line) {
            Written::Wrong(reason) => reason,
            other => panic!("{other:?}"),
        };
        assert!(reason("/to").contains("/to 3"));
        assert!(reason("/to me").starts_with("me: an id is a decimal number"));
        assert!(reason("/quti").contains("/quit"));
        assert!(reason("/quit now").contains("begin with //"));
    }
}
