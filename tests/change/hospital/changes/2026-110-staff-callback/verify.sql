SELECT count(pager) = 60 FROM his.staff_with_pager;
SELECT count(*) = 60 FROM his.staff_directory WHERE pager IS NOT NULL;
