-- step: new rows first
ALTER TABLE his.prescription ADD CONSTRAINT prescription_unit CHECK (unit IS NOT NULL) NOT VALID;

-- part: then the rows that are there, while others read and write
ALTER TABLE his.prescription VALIDATE CONSTRAINT prescription_unit;

-- part: the check proves it, so no row is read again
ALTER TABLE his.prescription ALTER COLUMN unit SET NOT NULL;

-- step: which makes the check superfluous
ALTER TABLE his.prescription DROP CONSTRAINT prescription_unit;
