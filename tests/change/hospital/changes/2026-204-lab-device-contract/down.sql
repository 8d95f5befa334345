DROP TABLE device_contract;

ALTER TABLE device ADD COLUMN bought_on TEXT;

CREATE VIEW device_age AS SELECT id, model, julianday('now') - julianday(bought_on) AS days FROM device;
