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

DROP MATERIALIZED VIEW report.bed_occupancy;

CREATE MATERIALIZED VIEW report.bed_occupancy AS
    SELECT v.ward_code, date_trunc('month', v.admitted_at) AS month, count(*) AS visits,
        his.longest(v.discharged_at - v.admitted_at) AS longest
    FROM his.visit AS v WHERE v.ward_code IS NOT NULL GROUP BY 1, 2;

COMMENT ON MATERIALIZED VIEW report.bed_occupancy IS 'Filled at night';

CREATE OR REPLACE PROCEDURE report.refresh_all() LANGUAGE sql AS $$
    REFRESH MATERIALIZED VIEW report.bed_occupancy;
    REFRESH MATERIALIZED VIEW report.lab_volume;
$$;
