SELECT bool_and(indisvalid) AND count(*) = 2 FROM pg_catalog.pg_index
WHERE indexrelid IN ('his.lab_result_specimen'::regclass, 'his.lab_result_waiting'::regclass);
SELECT convalidated FROM pg_catalog.pg_constraint WHERE conname = 'lab_result_specimen_key';
