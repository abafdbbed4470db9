-- Deliveries whose last start has no known outcome: others that need their parties wait for them.
CREATE INDEX item_unsettled ON item (tenant, connection)
    WHERE kind = 2 AND unknown = 1 AND state = 1;
