-- step: the view stands in the way
DROP VIEW his.visit_diagnosis_title;

ALTER TABLE his.diagnosis_code ALTER COLUMN code TYPE varchar(8);

ALTER TABLE his.visit_diagnosis ALTER COLUMN code TYPE varchar(8);

-- step: the view as it was
CREATE VIEW his.visit_diagnosis_title WITH (security_barrier) AS
    SELECT d.visit_id, d.admitted_at, d.place, d.code, c.title
    FROM his.visit_diagnosis AS d JOIN his.diagnosis_code AS c USING (code);

COMMENT ON VIEW his.visit_diagnosis_title IS 'Diagnoses in words, for letters';

GRANT SELECT ON his.visit_diagnosis_title TO hospital_doctor, hospital_billing;
