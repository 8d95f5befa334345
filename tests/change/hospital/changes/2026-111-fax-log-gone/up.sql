DROP VIEW his.fax_number;

-- step: the table with its sequence, index and trigger
DROP TABLE his.fax_log;
