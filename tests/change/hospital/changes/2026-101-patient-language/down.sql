ALTER TABLE his.patient DROP COLUMN language;
