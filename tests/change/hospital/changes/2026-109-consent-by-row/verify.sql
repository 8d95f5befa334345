SELECT relrowsecurity AND relforcerowsecurity FROM pg_catalog.pg_class WHERE oid = 'his.consent'::regclass;
SELECT has_table_privilege('hospital_nurse', 'his.consent', 'SELECT')
    AND NOT has_table_privilege('hospital_nurse', 'his.consent', 'INSERT');
