CREATE SCHEMA codes;
CREATE EXTENSION hospital_codes SCHEMA codes;
INSERT INTO codes.code (name) VALUES ('site''s own'), ('本院'), ('\.');
INSERT INTO codes.mode VALUES ('night', 'off');
UPDATE codes.fixed SET note = 'a change that no dump carries' WHERE id = 1;
GRANT SELECT ON codes.code TO pg_monitor;
