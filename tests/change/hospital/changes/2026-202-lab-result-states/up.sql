-- SQLite cannot alter a CHECK: the table is built anew, as sqlite.org/lang_altertable.html says.

-- step: the new table
CREATE TABLE result_new_form (
    id INTEGER PRIMARY KEY,
    sample_id INTEGER NOT NULL REFERENCES sample (id),
    test_code TEXT NOT NULL REFERENCES test (code),
    device_id INTEGER NOT NULL REFERENCES device (id),
    value TEXT,
    state TEXT NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'hold', 'released')),
    measured_at TEXT NOT NULL
);

-- step: all rows
INSERT INTO result_new_form (id, sample_id, test_code, device_id, value, state, measured_at)
SELECT id, sample_id, test_code, device_id, value, state, measured_at FROM result;

-- step: what reads the table, or it cannot be exchanged
DROP VIEW result_card;

DROP VIEW waiting;

DROP TABLE result;

ALTER TABLE result_new_form RENAME TO result;

-- step: all that went with the old one
CREATE INDEX result_sample ON result (sample_id);

CREATE INDEX result_new ON result (measured_at) WHERE state = 'new';

CREATE TRIGGER result_changed AFTER UPDATE OF value ON result BEGIN
    INSERT INTO result_audit (result_id, at, old, new) VALUES (new.id, datetime('now'), old.value, new.value);
END;

CREATE TRIGGER result_kept BEFORE DELETE ON result WHEN old.state = 'released' BEGIN
    SELECT RAISE(ABORT, 'a released result is kept');
END;

CREATE TRIGGER result_sent AFTER UPDATE OF state ON result WHEN new.state = 'released' BEGIN
    INSERT INTO message (created_at, body) VALUES (datetime('now'), CAST(new.id AS BLOB));
END;

CREATE VIEW result_card AS
    SELECT r.id, s.barcode, p.mrn, t.name AS test, r.value, t.unit, r.state
    FROM result AS r JOIN sample AS s ON s.id = r.sample_id
    JOIN patient AS p ON p.id = s.patient_id JOIN test AS t ON t.code = r.test_code;

CREATE TRIGGER card_edit INSTEAD OF UPDATE OF value ON result_card BEGIN
    UPDATE result SET value = new.value WHERE id = old.id;
END;

CREATE VIEW waiting AS SELECT count(*) AS results FROM result WHERE state = 'new';
