SELECT convalidated FROM pg_catalog.pg_constraint WHERE conname = 'lab_result_specimen_key';
