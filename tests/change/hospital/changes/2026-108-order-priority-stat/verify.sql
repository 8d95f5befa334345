SELECT count(*) = 3 FROM pg_catalog.pg_enum WHERE enumtypid = 'his.order_priority'::regtype;
