CREATE OR REPLACE FUNCTION his.body_mass(weight numeric, height numeric) RETURNS numeric
    LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN round(weight / (height * height), 1);
END $$;

CREATE OR REPLACE PROCEDURE his.discharge(visit bigint, INOUT bill integer DEFAULT NULL) LANGUAGE plpgsql AS $$
BEGIN
    UPDATE his.visit SET status = 'discharged', discharged_at = LOCALTIMESTAMP WHERE id = visit;
    INSERT INTO his.invoice (patient_id, total) SELECT v.patient_id, 0 FROM his.visit AS v WHERE v.id = visit
    RETURNING number INTO bill;
END $$;
