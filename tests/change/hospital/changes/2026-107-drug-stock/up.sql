CREATE TYPE his.movement_kind AS ENUM ('delivery', 'use', 'return', 'loss');

CREATE TABLE his.drug_movement (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    drug_code varchar(12) NOT NULL REFERENCES his.drug (code),
    ward_code varchar(8) NOT NULL REFERENCES his.ward (code),
    kind his.movement_kind NOT NULL,
    quantity numeric(10, 2) NOT NULL CONSTRAINT drug_movement_quantity CHECK (quantity > 0),
    moved_at timestamptz NOT NULL DEFAULT now(),
    moved_by text NOT NULL DEFAULT SESSION_USER
);

CREATE INDEX drug_movement_drug ON his.drug_movement (drug_code, moved_at);

CREATE INDEX drug_movement_ward ON his.drug_movement (ward_code);

CREATE TRIGGER drug_movement_audit AFTER INSERT OR UPDATE OR DELETE ON his.drug_movement
    FOR EACH ROW EXECUTE FUNCTION audit.note('id');

COMMENT ON TABLE his.drug_movement IS 'What came to a ward''s cupboard and went from it';

GRANT SELECT, INSERT ON his.drug_movement TO hospital_nurse;
