DROP VIEW device_age;

ALTER TABLE device DROP COLUMN bought_on;

CREATE TABLE device_contract (
    device_id INTEGER PRIMARY KEY REFERENCES device (id),
    until TEXT NOT NULL
) STRICT;
