-- Some thousand rows, the same each time.

INSERT INTO his.site SELECT 'S' || n, 'Site ' || n, ROW('Renmin Road', n::text, '20000' || n, 'Shanghai')::his.address
    FROM generate_series(1, 2) AS n;
INSERT INTO his.department SELECT 'D' || n, 'S' || 1 + n % 2, 'Department ' || n, lpad(n::text, 6, '0')
    FROM generate_series(1, 8) AS n;
INSERT INTO his.ward SELECT 'W' || n, 'D' || 1 + n % 8, '病区 ' || n FROM generate_series(1, 16) AS n;
INSERT INTO his.room (ward_code, label) SELECT 'W' || w, 'R' || r FROM generate_series(1, 16) AS w, generate_series(1, 5) AS r;
INSERT INTO his.bed (room_id, label) SELECT r, chr(64 + b) FROM generate_series(1, 80) AS r, generate_series(1, 2) AS b;
INSERT INTO his.setting (key, value) SELECT 'setting.' || n, jsonb_build_object('n', n) FROM generate_series(1, 20) AS n;
INSERT INTO his.staff (login, family_name, given_name, duty, pager)
    SELECT 'login' || n, '王' || n, '芳', (enum_range(NULL::his.staff_duty))[1 + n % 4], (4000 + n)::text
    FROM generate_series(1, 60) AS n;
INSERT INTO his.staff_department SELECT n, 'D' || 1 + n % 8, '2020-01-01' FROM generate_series(1, 60) AS n;
INSERT INTO his.chief_duty SELECT 1 + n % 60, tstzrange(t, t + interval '1 day')
    FROM generate_series(1, 90) AS n, LATERAL (SELECT timestamptz '2026-01-01 08:00+00' + n * interval '1 day') AS d (t);
INSERT INTO his.patient (family_name, given_name, sex, born_on, home)
    SELECT '李' || n % 97, '伟' || n, (enum_range(NULL::his.sex))[1 + n % 4], date '1940-01-01' + n * 37,
        ROW('Nanjing Road', n::text, '200001', 'Shanghai')::his.address
    FROM generate_series(1, 600) AS n;
INSERT INTO his.patient_identifier SELECT n, 'card', 'C' || 700000 + n FROM generate_series(1, 600) AS n;
INSERT INTO his.patient_contact (patient_id, phone) SELECT n, '1380000' || lpad(n::text, 4, '0') FROM generate_series(1, 600) AS n;
INSERT INTO his.allergy SELECT n * 3, 'Penicillin', 1 + n % 5, '2026-01-01' FROM generate_series(1, 150) AS n;
INSERT INTO his.insurance_plan SELECT 'P' || n, 'Plan ' || n, 60 + n FROM generate_series(1, 5) AS n;
INSERT INTO his.patient_insurance SELECT n, 'P' || 1 + n % 5, daterange('2025-01-01', NULL) FROM generate_series(1, 600) AS n;
INSERT INTO his.consent (patient_id, purpose, given_at) SELECT n, 'treatment', '2026-01-01' FROM generate_series(1, 300) AS n;
INSERT INTO his.document (patient_id, title, restricted, body)
    SELECT n, 'Letter ' || n, n % 10 = 0, repeat('text ', 20) FROM generate_series(1, 200) AS n;
INSERT INTO his.diagnosis_code SELECT 'J' || lpad(n::text, 2, '0') || '.' || n % 10, 'Diagnosis ' || n, '诊断 ' || n
    FROM generate_series(0, 99) AS n;
INSERT INTO his.visit (id, admitted_at, patient_id, ward_code, status, discharged_at)
    SELECT n, t, 1 + n % 600, 'W' || 1 + n % 16, CASE n % 5 WHEN 0 THEN 'admitted' ELSE 'discharged' END::his.visit_status,
        CASE n % 5 WHEN 0 THEN NULL ELSE t + (n % 9) * interval '1 day' END
    FROM generate_series(1, 1000) AS n, LATERAL (SELECT timestamp '2026-01-01' + n * interval '2 hours') AS d (t);
INSERT INTO his.visit_diagnosis SELECT v.id, v.admitted_at, 1, c.code
    FROM his.visit AS v JOIN his.diagnosis_code AS c ON right(c.title, 2) = right('0' || v.id % 100, 2);
INSERT INTO his.bed_stay (visit_id, admitted_at, bed_id, from_at) SELECT id, admitted_at, 1 + id % 160, admitted_at FROM his.visit;
INSERT INTO his.observation_code SELECT 'OBS' || n, 'Observation ' || n, 'mmol/l', his.reference_range(n, n + 5)
    FROM generate_series(1, 10) AS n;
INSERT INTO his.observation (id, observed_at, patient_id, code, value)
    SELECT n, timestamp '2026-01-02' + n * interval '1 hour', 1 + n % 600, 'OBS' || 1 + n % 10, n % 20
    FROM generate_series(1, 2900) AS n;
INSERT INTO his.clinical_order (patient_id, ordered_by, priority, ordered_at)
    SELECT 1 + n % 600, 1 + n % 60, (enum_range(NULL::his.order_priority))[1 + n % 2], '2026-03-01'
    FROM generate_series(1, 900) AS n;
INSERT INTO his.specimen (order_id, barcode, taken_at) SELECT n, 'B' || 1000000 + n, '2026-03-01' FROM generate_series(1, 600) AS n;
INSERT INTO his.lab_result (specimen_id, test, value, flag)
    SELECT 1 + n % 600, 'T' || n % 6, n % 50, (enum_range(NULL::his.lab_flag))[1 + n % 4] FROM generate_series(1, 1200) AS n;
INSERT INTO his.drug SELECT 'DR' || n, 'Drug ' || n FROM generate_series(1, 60) AS n;
INSERT INTO his.prescription (order_id, drug_code, dose, unit) SELECT n, 'DR' || 1 + n % 60, 1 + n % 4, 'mg' FROM generate_series(1, 500) AS n;
INSERT INTO his.administration SELECT n, '2026-03-02', 1 + n % 60 FROM generate_series(1, 500) AS n;
INSERT INTO his.procedure_code SELECT 'OP' || n, 'Procedure ' || n FROM generate_series(1, 20) AS n;
INSERT INTO his.procedure_done (order_id, code, surgeon) SELECT 600 + n, 'OP' || 1 + n % 20, 1 + n % 60 FROM generate_series(1, 100) AS n;
INSERT INTO his.appointment (patient_id, department_code, slot)
    SELECT n, 'D' || 1 + n % 8, tstzrange(t, t + interval '20 minutes')
    FROM generate_series(1, 200) AS n, LATERAL (SELECT timestamptz '2026-04-01' + n * interval '1 hour') AS d (t);
INSERT INTO his.price SELECT 'ITEM' || n, '2026-01-01', n * 10 FROM generate_series(1, 30) AS n;
INSERT INTO his.invoice (patient_id, issued_on, total) SELECT n, '2026-03-31', 20 FROM generate_series(1, 200) AS n;
INSERT INTO his.invoice_line SELECT number, 1, 'ITEM1', 2, 10 FROM his.invoice;
INSERT INTO his.payment (invoice_number, amount, paid_on) SELECT number, 20, '2026-04-02' FROM his.invoice WHERE number % 2 = 0;
INSERT INTO his.fax_log (sent_at, number, pages) SELECT '2021-01-01', '021' || n, 1 FROM generate_series(1, 40) AS n;
INSERT INTO audit.login SELECT '2026-03-01', 'login' || n, '10.0.0.1' FROM generate_series(1, 60) AS n;
REFRESH MATERIALIZED VIEW report.bed_occupancy;
REFRESH MATERIALIZED VIEW report.lab_volume;
ANALYZE;
