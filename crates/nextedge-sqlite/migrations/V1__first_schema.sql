-- Every table that belongs to a tenant starts its key with the tenant's number, or names it beside
-- a store-wide row number; no query leaves it out. Moments are microseconds since 1970.

PRAGMA application_id = 0x4E454447;

CREATE TABLE tenant (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    audited INTEGER NOT NULL DEFAULT 0
);

-- When a tenant was last served with one kind of work: smallest first.
CREATE TABLE served (
    kind INTEGER NOT NULL,
    tenant INTEGER NOT NULL REFERENCES tenant (id),
    turn INTEGER NOT NULL,
    PRIMARY KEY (kind, tenant)
) WITHOUT ROWID;
CREATE INDEX served_turn ON served (turn);

CREATE TABLE connection (
    tenant INTEGER NOT NULL REFERENCES tenant (id),
    id TEXT NOT NULL,
    vendor TEXT NOT NULL,
    role TEXT NOT NULL,
    usable INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

CREATE TABLE gate (
    tenant INTEGER NOT NULL REFERENCES tenant (id),
    connection TEXT NOT NULL,
    until INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (tenant, connection)
) WITHOUT ROWID;

CREATE TABLE policy (
    tenant INTEGER PRIMARY KEY REFERENCES tenant (id),
    version INTEGER NOT NULL,
    body TEXT NOT NULL
);

CREATE TABLE field_map (
    tenant INTEGER NOT NULL REFERENCES tenant (id),
    connection TEXT NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (tenant, connection)
) WITHOUT ROWID;

CREATE TABLE turn (
    tenant INTEGER NOT NULL REFERENCES tenant (id),
    rule TEXT NOT NULL,
    taken INTEGER NOT NULL,
    PRIMARY KEY (tenant, rule)
) WITHOUT ROWID;

-- `listing`: processing waits for the first listing to end. `releasing`: it ended, and lanes that
-- waited for it are still marked so.
CREATE TABLE mailbox (
    tenant INTEGER NOT NULL REFERENCES tenant (id),
    id TEXT NOT NULL,
    connection TEXT NOT NULL,
    paused INTEGER NOT NULL,
    listing INTEGER NOT NULL,
    releasing INTEGER NOT NULL DEFAULT 0,
    dirty INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER,
    lease BLOB,
    lease_until INTEGER,
    lease_micros INTEGER,
    probe INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    sync TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
) WITHOUT ROWID;
CREATE INDEX mailbox_due ON mailbox (due_at) WHERE due_at IS NOT NULL AND paused = 0;
CREATE INDEX mailbox_connection ON mailbox (tenant, connection);
CREATE INDEX mailbox_releasing ON mailbox (tenant) WHERE releasing = 1;

-- One row a sighting, for as long as the mailbox lives. intake: 0 fetch, 1 process, 2 planned (its
-- deliveries tell the rest), 3 held by a review, 4 parked, 5 dead. outcome: 0 pending, 1 delivered,
-- 2 parked, 3 review, 4 dead.
CREATE TABLE message (
    msg INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL REFERENCES tenant (id),
    uid BLOB NOT NULL,
    mailbox TEXT NOT NULL,
    provider_id TEXT NOT NULL,
    locator TEXT,
    hint TEXT,
    rank INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    intake INTEGER NOT NULL,
    unknown INTEGER NOT NULL DEFAULT 0,
    outcome INTEGER NOT NULL,
    detail TEXT,
    fingerprint BLOB,
    owner TEXT,
    kept TEXT,
    decision TEXT,
    errors TEXT,
    UNIQUE (tenant, uid)
);
CREATE INDEX message_order ON message (tenant, received_at, uid);
CREATE INDEX message_review ON message (tenant, received_at, uid) WHERE outcome = 3;
CREATE INDEX message_dead ON message (tenant, received_at, uid) WHERE outcome = 4;
CREATE UNIQUE INDEX message_fingerprint ON message (tenant, fingerprint)
    WHERE fingerprint IS NOT NULL;

-- Apart from the rows that scans touch.
CREATE TABLE raw (
    msg INTEGER PRIMARY KEY REFERENCES message (msg),
    tenant INTEGER NOT NULL,
    bytes BLOB NOT NULL
);

-- Messages by state, kept current with each change.
CREATE TABLE tally (
    tenant INTEGER NOT NULL REFERENCES tenant (id),
    mailbox TEXT NOT NULL,
    outcome INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    PRIMARY KEY (tenant, mailbox, outcome)
) WITHOUT ROWID;

-- Work that is not settled; a settled item leaves, so claims cost the same whatever the history.
-- kind: 1 intake, 2 delivery. state: 0 stub, 1 ready, 2 waits for a review, 3 dead and stops its
-- lane. `rank` is 0 for live mail, 1 for backfill. Only stubs have `not_before` and `lease`; other
-- work waits and is held by lane.
CREATE TABLE item (
    tenant INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    connection TEXT NOT NULL,
    lane BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    uid BLOB NOT NULL,
    msg INTEGER NOT NULL,
    state INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    mailbox TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    retries INTEGER NOT NULL DEFAULT 0,
    unknown INTEGER NOT NULL DEFAULT 0,
    alone INTEGER NOT NULL DEFAULT 0,
    crashes INTEGER NOT NULL DEFAULT 0,
    not_before INTEGER,
    lease BLOB,
    parties TEXT,
    PRIMARY KEY (tenant, kind, connection, lane, received_at, uid)
) WITHOUT ROWID;
CREATE UNIQUE INDEX item_message ON item (tenant, uid, kind, connection);
CREATE INDEX item_lease ON item (tenant, lease) WHERE lease IS NOT NULL;
CREATE INDEX item_stub ON item (tenant, mailbox, rank, received_at, uid)
    WHERE state = 0 AND lease IS NULL AND not_before IS NULL;
CREATE INDEX item_due ON item (not_before)
    WHERE state = 0 AND lease IS NULL AND not_before IS NOT NULL;
CREATE INDEX item_delayed ON item (tenant, mailbox, not_before)
    WHERE state = 0 AND lease IS NULL AND not_before IS NOT NULL;

-- A lane with work. state: 0 stopped, 1 ready, 2 delayed until due_at, 3 claimed, 4 waits for the
-- first listing of its mailbox. The head is the first item in order.
CREATE TABLE lane (
    tenant INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    connection TEXT NOT NULL,
    lane BLOB NOT NULL,
    state INTEGER NOT NULL,
    stubs INTEGER NOT NULL DEFAULT 0,
    rank INTEGER NOT NULL DEFAULT 0,
    head_at INTEGER NOT NULL DEFAULT 0,
    head_uid BLOB,
    mailbox TEXT NOT NULL DEFAULT '',
    due_at INTEGER,
    lease BLOB,
    PRIMARY KEY (tenant, kind, connection, lane)
) WITHOUT ROWID;
CREATE INDEX lane_ready ON lane (kind, tenant, connection, rank, head_at, head_uid)
    WHERE state = 1;
CREATE INDEX lane_due ON lane (due_at) WHERE state = 2;
CREATE INDEX lane_delayed ON lane (tenant, kind, connection, due_at) WHERE state = 2;
CREATE INDEX lane_listing ON lane (tenant, mailbox, head_at, head_uid) WHERE state = 4;
CREATE INDEX lane_lease ON lane (tenant, lease) WHERE lease IS NOT NULL;

-- Claims that run, and for a day those that ended, for calls that are told late. kind: 0 fetch,
-- 1 process, 2 deliver. items: 16 bytes of message id and one byte (1 open, 0 committed) each.
CREATE TABLE claim (
    tenant INTEGER NOT NULL,
    lease BLOB NOT NULL,
    kind INTEGER NOT NULL,
    connection TEXT NOT NULL,
    until INTEGER NOT NULL,
    settled INTEGER NOT NULL,
    probe INTEGER NOT NULL,
    items BLOB NOT NULL,
    ended_at INTEGER,
    PRIMARY KEY (tenant, lease)
) WITHOUT ROWID;
CREATE INDEX claim_running ON claim (tenant, connection, kind) WHERE ended_at IS NULL;
CREATE INDEX claim_until ON claim (until) WHERE ended_at IS NULL;
CREATE INDEX claim_ended ON claim (ended_at) WHERE ended_at IS NOT NULL;

-- Parties that a running claim may create.
CREATE TABLE reservation (
    tenant INTEGER NOT NULL,
    connection TEXT NOT NULL,
    key TEXT NOT NULL,
    lease BLOB NOT NULL,
    PRIMARY KEY (tenant, connection, key)
) WITHOUT ROWID;
CREATE INDEX reservation_lease ON reservation (tenant, lease);

-- Parties with a record in a sink.
CREATE TABLE party (
    tenant INTEGER NOT NULL REFERENCES tenant (id),
    key TEXT NOT NULL,
    connection TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (tenant, key, connection)
) WITHOUT ROWID;

-- One row for each message and sink, for as long as the message; `state` numbers are the outcomes'.
CREATE TABLE delivery (
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL REFERENCES tenant (id),
    msg INTEGER NOT NULL REFERENCES message (msg),
    connection TEXT NOT NULL,
    thread BLOB NOT NULL,
    state INTEGER NOT NULL,
    detail TEXT,
    unknown INTEGER NOT NULL DEFAULT 0,
    plan TEXT NOT NULL,
    effects TEXT,
    UNIQUE (tenant, msg, connection)
);
CREATE INDEX delivery_pending ON delivery (tenant, msg) WHERE state = 0;

CREATE TABLE thread (
    tenant INTEGER NOT NULL REFERENCES tenant (id),
    id BLOB NOT NULL,
    version INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

CREATE TABLE thread_key (
    tenant INTEGER NOT NULL,
    key TEXT NOT NULL,
    thread BLOB NOT NULL,
    PRIMARY KEY (tenant, key, thread)
) WITHOUT ROWID;

CREATE TABLE thread_record (
    tenant INTEGER NOT NULL,
    thread BLOB NOT NULL,
    connection TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (tenant, thread, connection)
) WITHOUT ROWID;

CREATE TABLE review (
    tenant INTEGER NOT NULL REFERENCES tenant (id),
    id BLOB NOT NULL,
    thread BLOB NOT NULL,
    state TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX review_order ON review (tenant, opened_at, id);
CREATE INDEX review_open ON review (tenant, opened_at, id) WHERE state = 'open';
CREATE INDEX review_thread ON review (tenant, thread, opened_at, id) WHERE state = 'open';

CREATE TABLE audit (
    tenant INTEGER NOT NULL REFERENCES tenant (id),
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    operation TEXT NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (tenant, seq)
);

CREATE TABLE audit_message (
    tenant INTEGER NOT NULL,
    message BLOB NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (tenant, message, seq)
) WITHOUT ROWID;
