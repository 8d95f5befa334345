-- The file of a laboratory's analysers, which forwards results to the hospital's system.

PRAGMA application_id = 1279345492;
PRAGMA user_version = 7;
BEGIN;

CREATE TABLE ward (code TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE patient (
    id INTEGER PRIMARY KEY,
    mrn TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL COLLATE NOCASE,
    born_on TEXT CHECK (born_on IS NULL OR born_on GLOB '[12][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]'),
    ward_code TEXT REFERENCES ward (code)
);
CREATE TABLE staff (id INTEGER PRIMARY KEY AUTOINCREMENT, login TEXT NOT NULL UNIQUE, role TEXT NOT NULL DEFAULT 'technician');
CREATE TABLE device (
    id INTEGER PRIMARY KEY,
    serial TEXT NOT NULL,
    bought_on TEXT,
    model TEXT NOT NULL,
    UNIQUE (model, serial)
);
CREATE TABLE device_service (
    device_id INTEGER NOT NULL REFERENCES device (id) ON DELETE CASCADE,
    done_on TEXT NOT NULL,
    done_by INTEGER REFERENCES staff (id),
    PRIMARY KEY (device_id, done_on)
);
CREATE TABLE test (
    code TEXT PRIMARY KEY, -- as the analyser sends it
    name TEXT NOT NULL,
    unit TEXT,
    low REAL,
    high REAL,
    CONSTRAINT test_range CHECK (low IS NULL OR high IS NULL OR low <= high)
) STRICT;
CREATE TABLE sample (
    id INTEGER PRIMARY KEY,
    barcode TEXT NOT NULL UNIQUE,
    patient_id INTEGER NOT NULL REFERENCES patient (id),
    taken_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    volume_ul REAL,
    volume_ml REAL GENERATED ALWAYS AS (volume_ul / 1000) VIRTUAL
);
CREATE TABLE rack (id INTEGER PRIMARY KEY, label TEXT NOT NULL);
CREATE TABLE rack_place (
    rack_id INTEGER NOT NULL REFERENCES rack (id),
    place INTEGER NOT NULL,
    sample_id INTEGER UNIQUE REFERENCES sample (id) DEFERRABLE INITIALLY DEFERRED,
    PRIMARY KEY (rack_id, place)
) WITHOUT ROWID;
CREATE TABLE result (
    id INTEGER PRIMARY KEY,
    sample_id INTEGER NOT NULL REFERENCES sample (id),
    test_code TEXT NOT NULL REFERENCES test (code),
    device_id INTEGER REFERENCES device (id),
    value TEXT,
    state TEXT NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'released')),
    measured_at TEXT NOT NULL
);
CREATE TABLE result_audit (id INTEGER PRIMARY KEY, result_id INTEGER NOT NULL, at TEXT NOT NULL, old TEXT, new TEXT);
CREATE TABLE quality_control (
    device_id INTEGER NOT NULL REFERENCES device (id),
    test_code TEXT NOT NULL REFERENCES test (code),
    day TEXT NOT NULL,
    value REAL NOT NULL,
    passed INTEGER NOT NULL CHECK (passed IN (0, 1)),
    PRIMARY KEY (device_id, test_code, day)
);
CREATE TABLE message (id INTEGER PRIMARY KEY, created_at TEXT NOT NULL, body BLOB, sent_at TEXT);
CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT);

CREATE INDEX sample_patient ON sample (patient_id, taken_at DESC);
CREATE INDEX result_sample ON result (sample_id);
CREATE INDEX result_new ON result (measured_at) WHERE state = 'new';
CREATE INDEX patient_name ON patient (lower(name));
CREATE INDEX message_waiting ON message (id) WHERE sent_at IS NULL;

CREATE VIEW result_card AS
    SELECT r.id, s.barcode, p.mrn, t.name AS test, r.value, t.unit, r.state
    FROM result AS r JOIN sample AS s ON s.id = r.sample_id
    JOIN patient AS p ON p.id = s.patient_id JOIN test AS t ON t.code = r.test_code;
CREATE VIEW waiting AS SELECT count(*) AS results FROM result WHERE state = 'new';
CREATE VIEW device_age AS SELECT id, model, julianday('now') - julianday(bought_on) AS days FROM device;

CREATE TRIGGER result_changed AFTER UPDATE OF value ON result BEGIN
    INSERT INTO result_audit (result_id, at, old, new) VALUES (new.id, datetime('now'), old.value, new.value);
END;
CREATE TRIGGER result_kept BEFORE DELETE ON result WHEN old.state = 'released' BEGIN
    SELECT RAISE(ABORT, 'a released result is kept');
END;
CREATE TRIGGER result_sent AFTER UPDATE OF state ON result WHEN new.state = 'released' BEGIN
    INSERT INTO message (created_at, body) VALUES (datetime('now'), CAST(new.id AS BLOB));
END;
CREATE TRIGGER card_edit INSTEAD OF UPDATE OF value ON result_card BEGIN
    UPDATE result SET value = new.value WHERE id = old.id;
END;

WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < 10)
INSERT INTO ward SELECT 'W' || n, '病区 ' || n FROM n;
WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < 300)
INSERT INTO patient SELECT n, 'HX' || (100000 + n), 'Li ' || n, '1970-01-01', 'W' || (1 + n % 10) FROM n;
WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < 12)
INSERT INTO staff (login) SELECT 'login' || n FROM n;
WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < 8)
INSERT INTO device SELECT n, 'SN' || n, '2020-01-01', 'Cobas' FROM n;
INSERT INTO device_service SELECT id, '2026-01-01', 1 + id FROM device;
WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < 20)
INSERT INTO test SELECT 'T' || n, 'Test ' || n, 'mmol/l', n, n + 10 FROM n;
INSERT INTO sample (id, barcode, patient_id, taken_at, volume_ul)
    SELECT id, 'B' || (1000000 + id), id, '2026-03-01 08:00:00', 500.0 FROM patient;
WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < 10)
INSERT INTO rack SELECT n, 'R' || n FROM n;
INSERT INTO rack_place SELECT 1 + id % 10, id, id FROM sample;
WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < 2000)
INSERT INTO result SELECT n, 1 + n % 300, 'T' || (1 + n % 20), 1 + n % 8, n % 15,
    CASE n % 3 WHEN 0 THEN 'new' ELSE 'released' END, '2026-03-01 09:00:00' FROM n;
INSERT INTO quality_control SELECT d.id, t.code, '2026-03-01', 5, 1 FROM device AS d, test AS t;
INSERT INTO setting VALUES ('site', 'S1');
COMMIT;
