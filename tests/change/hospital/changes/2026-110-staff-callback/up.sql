ALTER TABLE his.staff RENAME COLUMN pager TO callback;

-- step: for programs that still ask for the old name
CREATE VIEW his.staff_with_pager AS
    SELECT id, login, family_name, given_name, duty, callback AS pager, left_on FROM his.staff;

COMMENT ON VIEW his.staff_with_pager IS 'Until the switchboard is replaced: HIS-5230';
