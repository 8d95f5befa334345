SELECT count(*) = 1 FROM pg_catalog.pg_trigger
WHERE tgrelid = 'his.drug_movement'::regclass AND tgname = 'drug_movement_audit';
SELECT count(*) = 0 FROM his.drug_movement;
