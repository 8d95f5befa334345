SELECT count(*) = 2000 FROM result;
SELECT count(*) = 3 FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'result';
SELECT results > 0 FROM waiting;
