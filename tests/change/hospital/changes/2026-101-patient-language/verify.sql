SELECT count(*) = 1 FROM information_schema.columns
WHERE table_schema = 'his' AND table_name = 'patient' AND column_name = 'language';
SELECT has_column_privilege('hospital_billing', 'his.patient', 'language', 'SELECT');
