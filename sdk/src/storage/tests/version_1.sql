-- A device's file of version 1, as the program of that time made and filled it.
CREATE TABLE device (
    only_row           INTEGER PRIMARY KEY CHECK (only_row = 1),
    user               BLOB NOT NULL,
    device             BLOB NOT NULL,
    connection_counter INTEGER NOT NULL,
    generation         INTEGER NOT NULL,
    cursor             INTEGER NOT NULL
) STRICT;
-- seen_ms: greatest accepted_at_ms of the chat here.
CREATE TABLE chat (
    peer          BLOB PRIMARY KEY,
    last_sequence INTEGER NOT NULL,
    seen_ms       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- state: 0 queued, 1 accepted, 2 delivered, 3 failed, 4 refused.
CREATE TABLE outbound (
    peer           BLOB NOT NULL,
    sequence       INTEGER NOT NULL,
    state          INTEGER NOT NULL,
    content_type   INTEGER NOT NULL,
    seen_ms        INTEGER NOT NULL,
    payload        BLOB NOT NULL,
    accepted_at_ms INTEGER,
    code           INTEGER,
    PRIMARY KEY (peer, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX outbound_open ON outbound (peer, sequence) WHERE state < 2;
CREATE TABLE inbound (
    row            INTEGER PRIMARY KEY,
    sender         BLOB NOT NULL,
    device         BLOB NOT NULL,
    sequence       INTEGER NOT NULL,
    position       INTEGER NOT NULL,
    accepted_at_ms INTEGER NOT NULL,
    content_type   INTEGER NOT NULL,
    payload        BLOB NOT NULL,
    handed_over    INTEGER NOT NULL DEFAULT 0,
    UNIQUE (sender, device, sequence)
) STRICT;
CREATE INDEX inbound_open ON inbound (row) WHERE handed_over = 0;
PRAGMA application_id = 0x416e7362;
PRAGMA user_version = 1;
INSERT INTO device VALUES (1, x'00000000000000000000000000000001', x'0000000000000000000000000000000b', 7, 3, 42);
INSERT INTO chat VALUES (x'00000000000000000000000000000002', 5, 900), (x'00000000000000000000000000000003', 1, 0);
INSERT INTO outbound VALUES
    (x'00000000000000000000000000000002', 1, 2, 1, 0,   x'6f6e65',   800,  NULL),
    (x'00000000000000000000000000000002', 2, 3, 1, 800, x'74776f',   810,  3011),
    (x'00000000000000000000000000000002', 3, 1, 1, 810, x'7468726565', 820, NULL),
    (x'00000000000000000000000000000002', 4, 2, 1, 820, x'666f7572', 830,  NULL),
    (x'00000000000000000000000000000002', 5, 0, 1, 900, x'66697665', NULL, NULL),
    (x'00000000000000000000000000000003', 1, 4, 1, 0,   x'6f6e65',   NULL, 3006);
INSERT INTO inbound VALUES
    (1, x'00000000000000000000000000000002', x'00000000000000000000000000000016', 1, 41, 890, 1, x'68656c6c6f', 1),
    (2, x'00000000000000000000000000000002', x'00000000000000000000000000000016', 2, 42, 900, 1, x'776f726c64', 0);
