COMMENT ON TABLE his.consent IS NULL;

REVOKE ALL ON his.consent FROM hospital_nurse, hospital_doctor;

DROP POLICY consent_nurse ON his.consent;

DROP POLICY consent_doctor ON his.consent;

ALTER TABLE his.consent NO FORCE ROW LEVEL SECURITY;

ALTER TABLE his.consent DISABLE ROW LEVEL SECURITY;
