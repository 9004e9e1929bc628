#!/usr/bin/env python3
"""A client of Answerback with nothing but the standard library, written from docs/PROTOCOL.md.

  answerback_client.py vectors FILE...                              check golden vectors
  answerback_client.py exchange --addr HOST:PORT --token-a T --token-b T
        A sends to B, B takes and acknowledges, A is told. The tokens are those of two
        users' new devices, since this client remembers no numbers.
"""

import argparse
import base64
import json
import socket
import sys
import time

from answerback_frames import KINDS, LIMIT, Fault, decode, encode

SERVER_KINDS = [number for number, sender, *_ in KINDS.values() if sender != "client"]


def comparable(value):
    """Numbers beyond 32 bits stand in the vectors as decimal texts."""
    if isinstance(value, dict):
        return {key: comparable(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [comparable(inner) for inner in value]
    return str(value)


def check_vector(vector):
    data = bytes.fromhex(vector["bytes"])
    try:
        frame, length = decode(data, vector.get("limit", LIMIT), vector["from"])
    except Fault as fault:
        return str(fault) == vector.get("code")
    if "code" in vector:
        return vector["code"] is None and length == 0
    meaning = vector["frame"]
    is_same = meaning is None or encode(meaning) == data
    return is_same and length == len(data) and comparable(frame) == comparable(meaning)


def vectors(paths):
    lines = [json.loads(line) for path in paths for line in open(path, encoding="utf-8")]
    wrong = [vector["name"] for vector in lines if not check_vector(vector)]
    print(f"{len(lines) - len(wrong)} of {len(lines)} vectors hold")
    return f"wrong: {', '.join(wrong)}" if wrong or not lines else 0


class Device:
    """A connection of one device, and its cursor."""

    def __init__(self, address, token):
        host, port = address.rsplit(":", 1)
        claims = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        self.user, self.device = parse_id(claims["sub"]), parse_id(claims["device"])
        self.socket = socket.create_connection((host, int(port)), timeout=10)
        self.received, self.waiting = b"", []
        self.send("Hello", 1, self.user, tail={"kinds": SERVER_KINDS, "token": token.encode().hex()},
                  version_min=1, version_max=1, kinds_count=len(SERVER_KINDS), token_length=len(token),
                  device=self.device, app_build=0, mode=0, credit_frames=64, credit_bytes=1 << 20,
                  connection_counter=time.time_ns() // 1_000_000, generation=0, cursor=0)
        self.cursor = self.wait("Welcome")["fields"]["cursor"]

    def send(self, kind, tag, target, tail=None, payload=b"", **fields):
        self.socket.sendall(encode({"kind": kind, "tag": tag, "target": target, "fields": fields,
                                    "tail": tail or {}, "payload": payload.hex()}))

    def next_frame(self):
        while True:
            frame, length = decode(self.received)
            self.received = self.received[length:]
            if frame:
                return frame
            if length == 0:
                more = self.socket.recv(65536)
                if not more:
                    sys.exit("the box closed the connection")
                self.received += more

    def wait(self, kind, holds=lambda frame: True):
        """The next frame of a kind; entries are taken and acknowledged on the way."""
        for frame in self.waiting:
            if frame["kind"] == kind and holds(frame):
                self.waiting.remove(frame)
                return frame
        while True:
            frame = self.next_frame()
            if not self.take(frame):
                continue
            if frame["kind"] == kind and holds(frame):
                return frame
            self.waiting.append(frame)

    def take(self, frame):
        """Whether it is of use: an entry behind a gap is asked for again."""
        kind, fields = frame["kind"], frame["fields"]
        if kind in ("Error", "Refused", "OutOfOrder", "GoAway"):
            sys.exit(f"the box answered {kind} {fields}")
        if kind == "Probe":
            self.send("Pong", 0, 0, echo=fields["echo"])
        elif "after" in fields and fields["position"]:
            if fields["after"] > self.cursor:
                self.send("Resync", 0, self.user, cursor=self.cursor)
                return False
            self.cursor = max(self.cursor, fields["position"])  # a real client stores first
            self.send("Ack", 0, self.user, up_to=self.cursor)
        return True


def parse_id(text):
    return int(text.replace("-", ""), 16) if "-" in text else int(text)


def expect(holds, what):
    if not holds:
        sys.exit(f"the box did not send {what}")


def exchange(address, token_a, token_b):
    b, a = Device(address, token_b), Device(address, token_a)  # B must be known before A sends
    a.send("Ping", 2, 0, echo=7)
    expect(a.wait("Pong")["fields"]["echo"] == 7, "the ping's echo")
    text = f"hello from user {a.user}".encode()
    a.send("Send", 3, b.user, payload=text, sequence=1, seen_ms=0, life_s=0, content_type=1)
    accepted = a.wait("Accepted")
    expect((accepted["tag"], accepted["fields"]["sequence"]) == (3, 1), "the request's tag and number")
    print(f"accepted at {accepted['fields']['accepted_at_ms']}")
    mine = lambda frame: frame["fields"]["device"] == a.device
    message = b.wait("Deliver", lambda frame: mine(frame) and frame["target"] == a.user)
    expect(bytes.fromhex(message["payload"]) == text, "the payload as it was sent")
    print(f"received at position {message['fields']['position']}, acknowledged")
    delivered = a.wait("Delivered", lambda frame: mine(frame) and frame["target"] == b.user)
    expect(delivered["fields"]["up_to"] == 1, "a receipt up to the message")
    print("delivered")
    return 0


def main():
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("vectors").add_argument("paths", nargs="+", metavar="FILE")
    exchanging = commands.add_parser("exchange")
    for option in ("--addr", "--token-a", "--token-b"):
        exchanging.add_argument(option, required=True)
    arguments = parser.parse_args()
    if arguments.command == "vectors":
        return vectors(arguments.paths)
    try:
        return exchange(arguments.addr, arguments.token_a, arguments.token_b)
    except (Fault, OSError) as error:
        return f"no exchange with {arguments.addr}: {error}"


if __name__ == "__main__":
    sys.exit(main())
