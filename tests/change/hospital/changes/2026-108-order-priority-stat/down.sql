-- A value of an enumeration cannot be taken out: the type is made anew. Fails where an order has it.

ALTER TABLE his.clinical_order ALTER COLUMN priority DROP DEFAULT;

ALTER TYPE his.order_priority RENAME TO order_priority_with_stat;

CREATE TYPE his.order_priority AS ENUM ('routine', 'urgent');

COMMENT ON TYPE his.order_priority IS 'How soon an order is wanted';

ALTER TABLE his.clinical_order ALTER COLUMN priority TYPE his.order_priority
    USING priority::text::his.order_priority;

DROP TYPE his.order_priority_with_stat;
