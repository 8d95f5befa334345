SELECT attnotnull FROM pg_catalog.pg_attribute
WHERE attrelid = 'his.prescription'::regclass AND attname = 'unit';
