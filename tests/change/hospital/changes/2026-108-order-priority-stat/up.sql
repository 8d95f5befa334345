ALTER TYPE his.order_priority ADD VALUE 'stat' AFTER 'urgent';

ALTER TABLE his.clinical_order ALTER COLUMN priority SET DEFAULT 'routine';
