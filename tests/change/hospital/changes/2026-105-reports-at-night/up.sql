-- step: the function
CREATE OR REPLACE FUNCTION his.body_mass(weight numeric, height numeric) RETURNS numeric
    LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN round(weight / nullif(height * height, 0), 1);
END $$;

-- step: the procedure
CREATE OR REPLACE PROCEDURE his.discharge(visit bigint, INOUT bill integer DEFAULT NULL)
    LANGUAGE plpgsql AS $$
BEGIN
    UPDATE his.visit SET status = 'discharged', discharged_at = LOCALTIMESTAMP
    WHERE id = visit AND status = 'admitted';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'visit % is not open', visit;
    END IF;
    INSERT INTO his.invoice (patient_id, total)
    SELECT v.patient_id, 0 FROM his.visit AS v WHERE v.id = visit
    RETURNING number INTO bill;
END $$;

DROP MATERIALIZED VIEW report.bed_occupancy;

CREATE MATERIALIZED VIEW report.bed_occupancy AS
    SELECT v.ward_code, date_trunc('month', v.admitted_at) AS month, count(*) AS visits,
        count(DISTINCT v.patient_id) AS patients, his.longest(v.discharged_at - v.admitted_at) AS longest
    FROM his.visit AS v WHERE v.ward_code IS NOT NULL GROUP BY 1, 2;

CREATE UNIQUE INDEX bed_occupancy_key ON report.bed_occupancy (ward_code, month);

COMMENT ON MATERIALIZED VIEW report.bed_occupancy IS 'Filled at night';

CREATE OR REPLACE PROCEDURE report.refresh_all() LANGUAGE sql AS $$
    REFRESH MATERIALIZED VIEW CONCURRENTLY report.bed_occupancy;
    REFRESH MATERIALIZED VIEW CONCURRENTLY report.lab_volume;
$$;
