DROP VIEW his.staff_with_pager;

ALTER TABLE his.staff RENAME COLUMN callback TO pager;
