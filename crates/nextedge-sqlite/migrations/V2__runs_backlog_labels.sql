-- Sync runs, one row each. Kept small: a quiet mailbox adds 1,440 rows a day.
CREATE TABLE run (
    tenant INTEGER NOT NULL REFERENCES tenant (id),
    mailbox TEXT NOT NULL,
    number INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    pages INTEGER NOT NULL,
    listed INTEGER NOT NULL,
    added INTEGER NOT NULL,
    whole INTEGER NOT NULL,
    fault_count INTEGER NOT NULL,
    faults TEXT,
    error TEXT,
    PRIMARY KEY (tenant, mailbox, number)
) WITHOUT ROWID;
CREATE INDEX run_order ON run (tenant, started_at, mailbox, number);
CREATE INDEX run_started ON run (started_at);
CREATE INDEX run_whole ON run (tenant, mailbox, number) WHERE whole = 1;

-- Items by kind of work, kept current with each change. kind: 0 fetch and 1 process (place: the
-- mailbox; state 0), 2 deliver (place: the connection; state: as of deliveries).
CREATE TABLE backlog (
    tenant INTEGER NOT NULL REFERENCES tenant (id),
    kind INTEGER NOT NULL,
    place TEXT NOT NULL,
    state INTEGER NOT NULL,
    items INTEGER NOT NULL,
    PRIMARY KEY (tenant, kind, place, state)
) WITHOUT ROWID;
INSERT INTO backlog (tenant, kind, place, state, items)
    SELECT tenant, intake, mailbox, 0, count(*) FROM message WHERE intake IN (0, 1)
    GROUP BY tenant, intake, mailbox;
INSERT INTO backlog (tenant, kind, place, state, items)
    SELECT tenant, 2, connection, state, count(*) FROM delivery
    GROUP BY tenant, connection, state;

-- When the latest error of a message was kept; unknown for errors from before this column.
ALTER TABLE message ADD COLUMN error_at INTEGER;
CREATE INDEX message_error ON message (tenant, mailbox, error_at) WHERE error_at IS NOT NULL;

-- The source's labels, as JSON; none where the source told none.
ALTER TABLE message ADD COLUMN labels TEXT;
