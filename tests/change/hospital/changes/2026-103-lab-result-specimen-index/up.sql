CREATE INDEX CONCURRENTLY lab_result_specimen ON his.lab_result (specimen_id);

CREATE INDEX CONCURRENTLY lab_result_waiting ON his.lab_result (id) WHERE released_at IS NULL;

COMMENT ON INDEX his.lab_result_waiting IS 'For the list of results to release';
