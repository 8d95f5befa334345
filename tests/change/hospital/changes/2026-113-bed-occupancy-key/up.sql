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
