DROP VIEW result_card;

CREATE VIEW result_card AS
    SELECT r.id, s.barcode, p.mrn, t.name AS test, r.value, t.unit, r.state
    FROM result AS r JOIN sample AS s ON s.id = r.sample_id
    JOIN patient AS p ON p.id = s.patient_id JOIN test AS t ON t.code = r.test_code;

CREATE TRIGGER card_edit INSTEAD OF UPDATE OF value ON result_card BEGIN
    UPDATE result SET value = new.value WHERE id = old.id;
END;

DROP TRIGGER result_changed;

CREATE TRIGGER result_changed AFTER UPDATE OF value ON result BEGIN
    INSERT INTO result_audit (result_id, at, old, new) VALUES (new.id, datetime('now'), old.value, new.value);
END;
