SELECT count(*) = 0 FROM pragma_table_info('device') WHERE name = 'bought_on';
