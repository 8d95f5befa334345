CREATE INDEX CONCURRENTLY lab_result_specimen ON his.lab_result (specimen_id);

CREATE INDEX CONCURRENTLY lab_result_waiting ON his.lab_result (id) WHERE released_at IS NULL;

COMMENT ON INDEX his.lab_result_waiting IS 'For the list of results to release';

-- step: the key, not yet for old rows
ALTER TABLE his.lab_result ADD CONSTRAINT lab_result_specimen_key
    FOREIGN KEY (specimen_id) REFERENCES his.specimen (id) NOT VALID;

-- part: now for old rows too, while others read and write
ALTER TABLE his.lab_result VALIDATE CONSTRAINT lab_result_specimen_key;
