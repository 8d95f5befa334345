ALTER TABLE his.lab_result DROP CONSTRAINT IF EXISTS lab_result_specimen_key;

DROP INDEX CONCURRENTLY IF EXISTS his.lab_result_waiting;

DROP INDEX CONCURRENTLY IF EXISTS his.lab_result_specimen;
