SELECT count(*) = 2 FROM information_schema.columns
WHERE table_schema = 'his' AND table_name IN ('diagnosis_code', 'visit_diagnosis')
    AND column_name = 'code' AND character_maximum_length = 12;
SELECT count(*) > 0 FROM his.visit_diagnosis_title;
SELECT has_table_privilege('hospital_billing', 'his.visit_diagnosis_title', 'SELECT');
