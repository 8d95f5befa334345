-- step: the key, not yet for old rows
ALTER TABLE his.lab_result ADD CONSTRAINT lab_result_specimen_key
    FOREIGN KEY (specimen_id) REFERENCES his.specimen (id) NOT VALID;

-- step: now for old rows too
ALTER TABLE his.lab_result VALIDATE CONSTRAINT lab_result_specimen_key;
