SELECT sql LIKE '%hold%' FROM sqlite_schema WHERE name = 'result_card';
SELECT count(*) = 2000 FROM result_card;
