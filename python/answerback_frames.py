"""The frames of Answerback with nothing but the standard library, written from docs/PROTOCOL.md.

A frame is a dictionary: kind, flags, tag, target, fields, tail, payload (hexadecimal).
"""

import struct

HEADER = struct.Struct("<IHHHHI16s")  # length kind envelope_length flags reserved tag target
LIMIT = 983040  # no frame is longer, whatever Welcome says

ENTRY = "position:8 after:8 device:16"
RANGE = "from:8 to:8"
MUTED = "muted_until_ms:8:0:253402300799999"  # up to the end of the year 9999
WANTED = ("device:16 app_build:4 mode:2:0:2 credit_frames:4:1:4096 credit_bytes:4:1:4194304 "
          "connection_counter:8:1 generation:8 cursor:8")
# kind: (number, who sends it, its tag, the fields as name:bytes[:least[:most]])
KINDS = {
    "Hello": (0x0001, "client", "request", "version_min:2:1 version_max:2:1 kinds_count:2:0:256 "
              "token_length:2:0:2048 " + WANTED),
    "Ping": (0x0002, "client", "request", "echo:8"),
    "Pong": (0x0003, "either", "pong", "echo:8"),
    "Renew": (0x0004, "client", "request", "token_length:2:1:2048"),
    "Resume": (0x0005, "client", "request", "version_min:2:1 version_max:2:1 kinds_count:2:0:256 "
               "ticket_length:2:0:1024 " + WANTED + " proof_low:16 proof_high:16"),
    "Send": (0x0010, "client", "request", "sequence:8:1 seen_ms:8 life_s:4:0:2592000 content_type:2"),
    "Skip": (0x0011, "client", "request", RANGE),
    "Ack": (0x0012, "client", "none", "up_to:8"),
    "Resync": (0x0013, "client", "none", "cursor:8"),
    "Read": (0x0014, "client", "request", "peer:16:1 device:16:1 up_to:8:1"),
    "Recall": (0x0015, "client", "request", "sequence:8 recalled:8:1 seen_ms:8 life_s:4:0:2592000 "
               "content_type:2"),
    "DeleteChat": (0x0016, "client", "request", "peer:16:1 cursor:8 marks_count:2:0:10"),
    "ListDevices": (0x0020, "client", "request", "behind:16"),
    "NameDevice": (0x0021, "client", "request", "device:16:1 name_length:2:0:64"),
    "RevokeDevice": (0x0022, "client", "request", "device:16:1"),
    "GroupSend": (0x0030, "client", "request", "sequence:8:1 seen_ms:8 life_s:4:0:2592000 "
                  "content_type:2"),
    "GroupSkip": (0x0031, "client", "request", RANGE),
    "CreateGroup": (0x0032, "client", "request", "nonce:16:1 members_count:2:0:1023 "
                    "name_length:2:1:256"),
    "ChangeMembers": (0x0033, "client", "request", "action:2:1:3 role:2:0:2 members_count:2:1:1024"),
    "RenameGroup": (0x0034, "client", "request", "name_length:2:1:256"),
    "DescribeGroup": (0x0035, "client", "request", "version:4"),
    "SetGroupReceipts": (0x0036, "client", "request", "on:2:0:1"),
    "ReadGroup": (0x0037, "client", "request", "group:16:1 up_to:8:1"),
    "Typing": (0x0040, "either", "none", "state:2"),
    "SetChat": (0x0023, "client", "request", "peer:16:1 changes:2:1:7 flags:2:0:3 " + MUTED),
    "ListChats": (0x0024, "client", "request", "behind:16"),
    "Report": (0x0028, "client", "request", "device:16 sequence:8 reason:2 excerpt_length:2:0:4096"),
    "SetContacts": (0x0025, "client", "request", "mode:2:0:2 users_count:2:0:2048"),
    "SetWriters": (0x0026, "client", "request", "who:2:0:1"),
    "ListContacts": (0x0027, "client", "request", "behind:16"),
    "Watch": (0x0041, "client", "request", "once:2:0:1 users_count:2:0:256"),
    "SetVisibility": (0x0042, "client", "request", "visibility:2:0:2"),
    "Welcome": (0x0101, "server", "answer", "version:2:1 kinds_count:2:0:256 ticket_length:2:0:1024 "
                "lapsed:2:0:1 server_time_ms:8 session:8 generation:8:1 cursor:8 pending_count:8 "
                "pending_bytes:8 frame_bytes_max:4:4096:983040 undecided_max:2:1:64 "
                "heartbeat_min_s:2:1 heartbeat_max_s:2:1"),
    "Probe": (0x0103, "server", "none", "echo:8"),
    "GoAway": (0x0104, "server", "none", "code:2:1000:6999 delay_ms:4"),
    "Error": (0x0105, "server", "any", "code:2:1000:6999 kind:2 retry_after_ms:4"),
    "Renewed": (0x0106, "server", "answer", "expires_at_ms:8 ticket_length:2:0:1024"),
    "Accepted": (0x0110, "server", "answer", "sequence:8:1 accepted_at_ms:8"),
    "Refused": (0x0111, "server", "answer", "sequence:8:1 retry_after_ms:4 code:2:1000:6999"),
    "OutOfOrder": (0x0112, "server", "answer", "sequence:8 expected:8:1"),
    "Skipped": (0x0113, "server", "answer", RANGE + " accepted:8"),
    "ReadNoted": (0x0114, "server", "answer", "up_to:8"),
    "Deliver": (0x0120, "server", "none", ENTRY + " sequence:8:1 accepted_at_ms:8 content_type:2"),
    "Delivered": (0x0121, "server", "none", ENTRY + " up_to:8:1 delivered_at_ms:8 except_count:2:0:16"),
    "Failed": (0x0122, "server", "any", ENTRY + " sequence:8:1 code:2:1000:6999"),
    "CaughtUp": (0x0123, "server", "none", "position:8"),
    "ReadBy": (0x0124, "server", "none", ENTRY + " up_to:8:1 read_at_ms:8"),
    "ReadElsewhere": (0x0125, "server", "none", ENTRY + " up_to:8:1 read_at_ms:8"),
    "Copied": (0x0126, "server", "none", ENTRY + " sequence:8:1 accepted_at_ms:8 content_type:2"),
    "ChatDeleted": (0x0127, "server", "none", "position:8 after:8 up_to:8 marks_count:2:0:10"),
    "ChatSet": (0x0129, "server", "none", "position:8 after:8 flags:2:0:3 " + MUTED),
    "Done": (0x0130, "server", "answer", "at_ms:8"),
    "Declined": (0x0131, "server", "answer", "retry_after_ms:4 code:2:1000:6999"),
    "Devices": (0x0132, "server", "answer", "count:2:0:64 has_more:2:0:1"),
    "Chats": (0x0133, "server", "answer", "count:2:0:256 next_behind:16"),
    "Contacts": (0x0134, "server", "answer", "count:2:0:2048 visibility:2:0:2 writers:2:0:1 "
                 "next_behind:16"),
    "GroupCreated": (0x0140, "server", "answer", "group:16:1 at_ms:8"),
    "GroupDeliver": (0x0141, "server", "none", ENTRY + " sender:16:1 sequence:8:1 accepted_at_ms:8 "
                     "version:4:1 content_type:2"),
    "GroupChanged": (0x0142, "server", "none", "position:8 after:8 actor:16 at_ms:8 version:4:1 "
                     "change:2:1:7 members_count:2:0:1024 name_length:2:0:256 flags:2:0:1"),
    "GroupFailed": (0x0143, "server", "none", ENTRY + " sequence:8:1 members_count:2:1:1024"),
    "GroupDescribed": (0x0144, "server", "answer", "version:4:1 members_count:2:1:1024 name_length:2:1:256 "
                       "flags:2:0:1"),
    "GroupReceipt": (0x0145, "server", "none", ENTRY + " sequence:8:1 version:4:1 delivered_bytes:2:1:128 "
                     "read_bytes:2:0:128"),
    "GroupReadElsewhere": (0x0146, "server", "none", "position:8 after:8 reader:16 up_to:8:1 read_at_ms:8"),
    "Presence": (0x0160, "server", "none", "last_action_ms:8 online_for_ms:4"),
}
NAMES = {number: name for name, (number, *_) in KINDS.items()}
LISTED = struct.Struct("<16sQHHH")  # of a device: id, last login, standing, whether online, bytes of name
LISTED_CHAT = struct.Struct("<16sQH")  # the other end, until when it is muted, flags
SECRETS = {"Hello": "token", "Renew": "token", "Resume": "ticket", "Welcome": "ticket", "Renewed": "ticket"}
WITH_PAYLOAD = ("Send", "Recall", "GroupSend", "Deliver", "Copied", "GroupDeliver")
ROLE_AND_SLOT = 0x3ff2  # bits 0-1 the role, 4-13 the slot
# Lists of users: the bytes and the bounds of the number beside each, where there is one.
MEMBERS = {"CreateGroup": (0, 0, 0), "ChangeMembers": (0, 0, 0), "GroupChanged": (2, 0, ROLE_AND_SLOT),
           "GroupDescribed": (2, 0, ROLE_AND_SLOT), "GroupFailed": (2, 1000, 6999)}
FIRST_WORDS = ("Delivered", "ReadBy", "Failed")  # entries whose position may be 0


class Fault(Exception):
    """A frame that may not be, with the name of its code."""


def need(holds, code="FrameMalformed"):
    if not holds:
        raise Fault(code)


def fields_of(kind):
    for spec in KINDS[kind][3].split():
        name, size, *bounds = spec.split(":")
        least, most = ([int(bound) for bound in bounds] + [0, None][len(bounds):])
        yield name, int(size), least, most


def encode(frame):
    """The bytes of {kind, flags, tag, target, fields, tail, payload}."""
    kind, tail, payload = frame["kind"], frame.get("tail", {}), bytes.fromhex(frame.get("payload", ""))
    envelope = b"".join(int(frame["fields"][name]).to_bytes(size, "little")
                        for name, size, *_ in fields_of(kind))
    envelope += b"".join(number.to_bytes(2, "little") for number in tail.get("kinds", []))
    envelope += bytes.fromhex(tail.get("token", "") + tail.get("ticket", ""))
    envelope += bytes.fromhex(tail.get("excerpt", ""))
    for device, last_login_ms, standing, is_online, name in tail.get("devices", []):
        envelope += LISTED.pack(int(device).to_bytes(16, "little"), int(last_login_ms), standing, is_online,
                                len(name) // 2) + bytes.fromhex(name)
    for peer, muted_until_ms, flags in tail.get("chats", []):
        envelope += LISTED_CHAT.pack(int(peer).to_bytes(16, "little"), int(muted_until_ms), flags)
    envelope += b"".join(int(end).to_bytes(8, "little") for pair in tail.get("except", []) for end in pair)
    envelope += b"".join(int(device).to_bytes(16, "little") + int(up_to).to_bytes(8, "little")
                         for device, up_to in tail.get("marks", []))
    envelope += b"".join(number.to_bytes(size, "little") for member in tail.get("members", [])
                         for number, size in member_numbers(member)) + bytes.fromhex(tail.get("name", ""))
    envelope += bytes.fromhex(tail.get("delivered", "") + tail.get("read", ""))
    envelope += b"".join(int(user).to_bytes(16, "little") for user in tail.get("users", []))
    target = int(frame.get("target", 0)).to_bytes(16, "little")
    return HEADER.pack(HEADER.size + len(envelope) + len(payload), KINDS[kind][0], len(envelope),
                       frame.get("flags", 0), 0, frame.get("tag", 0), target) + envelope + payload


def member_numbers(member):
    """A user, or a user and a number, and the bytes of each."""
    return [(int(member[0]), 16), (int(member[1]), 2)] if isinstance(member, list) else [(int(member), 16)]


def decode(data, limit=LIMIT, sender="server"):
    """The first frame of data and its length; (None, 0) where its end is missing."""
    if len(data) < HEADER.size:
        return None, 0
    length, number, envelope_length, flags, reserved, tag, target = HEADER.unpack_from(data)
    need(length <= limit, "FrameTooLarge")
    need(length >= HEADER.size + envelope_length and reserved == 0 and flags < 4)
    if len(data) < length:
        return None, 0
    if number not in NAMES:
        need(flags & 2, "UnknownKind")
        return None, length
    kind = NAMES[number]
    _, from_end, tag_rule, _ = KINDS[kind]
    need(from_end in (sender, "either"), "KindNotAllowed")
    tagged = {"request": True, "answer": True, "none": False, "pong": sender == "server", "any": bool(tag)}
    need(tagged[tag_rule] == bool(tag), "TagMismatch")
    body = data[HEADER.size:length]
    envelope, payload = body[:envelope_length], body[envelope_length:]
    need(not payload or kind in WITH_PAYLOAD)
    fields, at = {}, 0
    for name, size, least, most in fields_of(kind):
        need(at + size <= len(envelope))
        fields[name] = int.from_bytes(envelope[at:at + size], "little")
        need(least <= fields[name] and (most is None or fields[name] <= most))
        at += size
    check(kind, fields)
    frame = {"kind": kind, "flags": flags, "tag": tag, "target": int.from_bytes(target, "little"),
             "fields": fields, "tail": decode_tail(kind, fields, envelope[at:]), "payload": payload.hex()}
    return frame, length


def check(kind, f):
    """The ranges that depend on another field."""
    if kind in ("Skip", "Skipped", "GroupSkip"):
        need(1 <= f["from"] <= f["to"] <= f["from"] + 63, "RangeInvalid")
        need(f.get("accepted", 0) >> (f["to"] - f["from"] + 1) == 0)
    if "after" in f:
        first_word = kind in FIRST_WORDS and f["position"] == 0 == f["after"]
        need(f["after"] < f["position"] or first_word)
    need(kind != "ChangeMembers" or f["role"] == 0 or f["action"] == 3)
    need(kind not in ("Hello", "Resume") or f["version_min"] <= f["version_max"])
    need(kind != "Welcome" or f["heartbeat_min_s"] <= f["heartbeat_max_s"])
    need(kind != "Report" or (f["device"] == 0) == (f["sequence"] == 0))
    need(kind != "OutOfOrder" or f["expected"] < f["sequence"])
    need(kind != "SetChat" or f["flags"] & ~f["changes"] == 0 and (f["changes"] & 4 or f["muted_until_ms"] == 0))
    need(kind != "Recall" or f["recalled"] < f["sequence"])
    need(kind not in ("ChatDeleted", "GroupReadElsewhere") or f["up_to"] < f["position"])
    need(kind != "Presence" or f["last_action_ms"] > 0 or f["online_for_ms"] == 0)


def decode_group_tail(kind, f, tail):
    size, least, most = MEMBERS.get(kind, (0, 0, 0))
    cut = (16 + size) * f.get("members_count", 0)
    need(len(tail) == cut + f.get("name_length", 0))
    members = [[int.from_bytes(tail[at:at + 16], "little"), int.from_bytes(tail[at + 16:at + 16 + size],
               "little")] for at in range(0, cut, 16 + size)]
    need(all(before < after for before, after in zip([0] + [user for user, _ in members],
                                                    [user for user, _ in members])))
    need(all(least <= number <= most for _, number in members))
    need(most != ROLE_AND_SLOT or all(number & 0x0c == 0 and number & 3 <= 2 for _, number in members))
    listed = {"members": members if size else [user for user, _ in members]} if kind in MEMBERS else {}
    return listed | ({"name": tail[cut:].hex()} if "name_length" in f else {})


def decode_tail(kind, f, tail):
    if kind in MEMBERS or kind == "RenameGroup":
        return decode_group_tail(kind, f, tail)
    if kind in SECRETS:
        secret, cut = SECRETS[kind], 2 * f.get("kinds_count", 0)
        need(len(tail) == cut + f[secret + "_length"])
        kinds = [int.from_bytes(tail[at:at + 2], "little") for at in range(0, cut, 2)]
        return ({"kinds": kinds} if "kinds_count" in f else {}) | {secret: tail[cut:].hex()}
    if kind == "Report":
        need(len(tail) == f["excerpt_length"])
        return {"excerpt": tail.hex()}
    if kind == "NameDevice":
        need(len(tail) == f["name_length"])
        return {"name": name_of(tail)}
    if kind == "Chats":
        return {"chats": decode_chats(f["count"], f["next_behind"], tail)}
    if kind == "Devices":
        return {"devices": decode_devices(f["count"], tail)}
    if kind == "GroupReceipt":
        delivered, read = tail[:f["delivered_bytes"]], tail[f["delivered_bytes"]:]
        need(len(delivered) == f["delivered_bytes"] and len(read) == f["read_bytes"] <= len(delivered))
        need(delivered[-1] and (not read or read[-1]) and all(b & ~a == 0 for a, b in zip(delivered, read)))
        return {"delivered": delivered.hex(), "read": read.hex()}
    if "marks_count" in f:
        need(len(tail) == 24 * f["marks_count"])
        marks = [tail[at:at + 24] for at in range(0, len(tail), 24)]
        pairs = [[int.from_bytes(mark[part], "little") for part in (slice(16), slice(16, 24))] for mark in marks]
        need(all(device and up_to for device, up_to in pairs))
        return {"marks": pairs}
    listed = f["count"] if kind == "Contacts" else f.get("users_count", 0)
    need(len(tail) == 16 * f.get("except_count", listed))
    if kind in ("Watch", "SetContacts", "Contacts"):
        users = [int.from_bytes(tail[at:at + 16], "little") for at in range(0, len(tail), 16)]
        need(all(users))
        need(kind == "Watch" or all(a < b for a, b in zip(users, users[1:])))
        need(not f.get("next_behind") or not users or users[-1] <= f["next_behind"])
        return {"users": users}
    if kind != "Delivered":
        return {}
    ends = [0] + [int.from_bytes(tail[at:at + 8], "little") for at in range(0, len(tail), 8)]
    pairs = list(zip(ends[1::2], ends[2::2]))
    need(all(before < first <= last < f["up_to"] for before, (first, last) in zip(ends[::2], pairs)))
    return {"except": pairs}


def name_of(data):
    """A device's name as it is, where it may be shown on one line."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Fault("FrameMalformed") from None
    need(len(data) <= 64 and not any(ord(each) < 32 or 127 <= ord(each) < 160 for each in text))
    return data.hex()


def decode_chats(count, next_behind, tail):
    need(len(tail) == count * LISTED_CHAT.size)
    listed = [(int.from_bytes(peer, "little"), until, flags) for peer, until, flags in LISTED_CHAT.iter_unpack(tail)]
    peers = [0] + [peer for peer, *_ in listed]
    need(all(one < next for one, next in zip(peers, peers[1:])) and (not next_behind or peers[-1] <= next_behind))
    need(all(until <= 253402300799999 and flags & ~11 == 0 for _, until, flags in listed))
    return listed


def decode_devices(count, tail):
    listed, at, before = [], 0, 0
    for _ in range(count):
        need(at + LISTED.size <= len(tail))
        device, last_login_ms, standing, is_online, length = LISTED.unpack_from(tail, at)
        device, at = int.from_bytes(device, "little"), at + LISTED.size + length
        need(before < device and standing <= 1 and is_online <= 1 and at <= len(tail))
        listed.append((device, last_login_ms, standing, is_online, name_of(tail[at - length:at])))
        before = device
    need(at == len(tail))
    return listed
