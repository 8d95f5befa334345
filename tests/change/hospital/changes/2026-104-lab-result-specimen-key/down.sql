ALTER TABLE his.lab_result DROP CONSTRAINT lab_result_specimen_key;
