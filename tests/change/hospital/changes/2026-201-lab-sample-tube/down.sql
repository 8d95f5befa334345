DROP INDEX sample_tube;

ALTER TABLE sample DROP COLUMN tube;
