SELECT his.body_mass(70, 0) IS NULL;
SELECT his.body_mass(81, 1.8) = 25;

SELECT count(*) > 0 FROM report.bed_occupancy;
SELECT indisunique AND indisvalid FROM pg_catalog.pg_index WHERE indexrelid = 'report.bed_occupancy_key'::regclass;
