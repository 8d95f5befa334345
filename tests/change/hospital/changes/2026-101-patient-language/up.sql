-- step: a nullable column, which rewrites nothing
ALTER TABLE his.patient ADD COLUMN language varchar(8);

COMMENT ON COLUMN his.patient.language IS 'BCP 47 tag; null: nobody asked yet';

GRANT SELECT (language) ON his.patient TO hospital_billing;
