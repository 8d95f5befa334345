SELECT count(*) = 1 FROM pragma_table_info('sample') WHERE name = 'tube';
SELECT count(*) = 300 FROM sample WHERE tube IS NULL;
