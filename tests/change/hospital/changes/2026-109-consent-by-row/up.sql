ALTER TABLE his.consent ENABLE ROW LEVEL SECURITY;

ALTER TABLE his.consent FORCE ROW LEVEL SECURITY;

CREATE POLICY consent_doctor ON his.consent TO hospital_doctor USING (true) WITH CHECK (revoked_at IS NULL);

CREATE POLICY consent_nurse ON his.consent AS PERMISSIVE FOR SELECT TO hospital_nurse
    USING (purpose = 'treatment' AND revoked_at IS NULL);

GRANT SELECT, INSERT, UPDATE ON his.consent TO hospital_doctor;

GRANT SELECT ON his.consent TO hospital_nurse;

COMMENT ON TABLE his.consent IS 'Nobody sees rows but by a policy';
