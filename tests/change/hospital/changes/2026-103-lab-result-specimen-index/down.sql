DROP INDEX CONCURRENTLY IF EXISTS his.lab_result_waiting;

DROP INDEX CONCURRENTLY IF EXISTS his.lab_result_specimen;
