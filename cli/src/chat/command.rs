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
    ("/group NAME ID …", "write to several users"),
    ("/add ID …", "to this group; /remove"),
    ("/admin ID …", "may add and remove"),
    ("/rename NAME", "this group"),
    ("/receipts on", "tell who has what; off"),
    ("/members", "of this group"),
    ("/leave", "this group"),
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
    Group {
        name: String,
        members: Vec<UserId>,
    },
    Add(Vec<UserId>),
    Remove(Vec<UserId>),
    Admin(Vec<UserId>),
    Rename(String),
    Receipts(bool),
    Members,
    Leave,
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
        ("/group", ..) => group(line),
        ("/add", Some(_), _) => members(line).map_or_else(Written::Wrong, Written::Add),
        ("/remove", Some(_), _) => members(line).map_or_else(Written::Wrong, Written::Remove),
        ("/admin", Some(_), _) => members(line).map_or_else(Written::Wrong, Written::Admin),
        ("/add" | "/remove" | "/admin", None, _) => {
            Written::Wrong("write the users' numbers behind it: /add 3 4".to_owned())
        }
        ("/rename", Some(_), _) => Written::Rename(behind(line).to_owned()),
        ("/rename", None, _) => Written::Wrong("write the new name behind it".to_owned()),
        ("/receipts", Some("on"), None) => Written::Receipts(true),
        ("/receipts", Some("off"), None) => Written::Receipts(false),
        ("/receipts", ..) => Written::Wrong("write /receipts on, or /receipts off".to_owned()),
        ("/members", None, None) => Written::Members,
        ("/leave", None, None) => Written::Leave,
        ("/quit", None, None) => Written::Quit,
        (other, ..) => {
            let known: Vec<_> = ALL.iter().map(|(command, _)| *command).collect();
            let known = known.join(", ");
            Written::Wrong(format!("{other} is none of {known}; begin with // to send it"))
        }
    }
}

/// A new group: its name, of any number of words, and behind it the members.
fn group(line: &str) -> Written {
    let words: Vec<_> = behind(line).split_whitespace().collect();
    let is_member = |word: &&&str| word.parse::<UserId>().is_ok();
    let count = words.iter().rev().take_while(is_member).count();
    let (name, members) = words.split_at(words.len() - count);
    if name.is_empty() || members.is_empty() {
        return Written::Wrong(
            "write a name and the users' numbers: /group walkers 3 4".to_owned(),
        );
    }
    let members = members.iter().filter_map(|word| word.parse().ok()).collect();
    Written::Group { name: name.join(" "), members }
}

fn members(line: &str) -> Result<Vec<UserId>, String> {
    behind(line).split_whitespace().map(peer).collect()
}

/// What stands behind a command.
fn behind(line: &str) -> &str {
    line.split_once(char::is_whitespace).map_or("", |(_, behind)| behind.trim())
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
        assert_eq!(read("/add 3  4"), Written::Add(vec![UserId(3), UserId(4)]));
        assert_eq!(read("/remove 3"), Written::Remove(vec![UserId(3)]));
        assert_eq!(read("/admin 3"), Written::Admin(vec![UserId(3)]));
        assert_eq!(read("/rename  old friends "), Written::Rename("old friends".to_owned()));
        assert_eq!(read("/receipts on"), Written::Receipts(true));
        assert_eq!(read("/receipts off"), Written::Receipts(false));
        assert_eq!(read("/members"), Written::Members);
        assert_eq!(read("/leave"), Written::Leave);
        let (name, members) = ("old friends".to_owned(), vec![UserId(3), UserId(4)]);
        assert_eq!(read("/group old friends 3 4"), Written::Group { name, members });
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
        assert!(reason("/group 3").contains("/group walkers 3 4"));
        assert!(reason("/group walkers").contains("/group walkers 3 4"));
        assert!(reason("/add").contains("/add 3 4"));
        assert!(reason("/add 3 me").starts_with("me: an id"));
        assert!(reason("/rename").contains("new name"));
        assert!(reason("/receipts").contains("/receipts off"));
        assert!(reason("/quit now").contains("begin with //"));
    }
}
