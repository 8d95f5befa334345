SELECT count(*) > 0 FROM report.bed_occupancy;
SELECT indisunique AND indisvalid FROM pg_catalog.pg_index WHERE indexrelid = 'report.bed_occupancy_key'::regclass;
