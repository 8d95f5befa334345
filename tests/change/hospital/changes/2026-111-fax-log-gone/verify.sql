SELECT to_regclass('his.fax_log') IS NULL AND to_regclass('his.fax_number') IS NULL;
