CREATE TABLE lab.order_ (
    id bigint, ward text, day date, amount numeric(8, 2) DEFAULT 0, PRIMARY KEY (id, day, ward)
) PARTITION BY RANGE (day);
CREATE TABLE lab.order_2025 PARTITION OF lab.order_ FOR VALUES FROM (MINVALUE) TO ('2026-01-01');
CREATE TABLE lab.order_2026 PARTITION OF lab.order_ FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')
    PARTITION BY LIST (ward);
CREATE TABLE lab.order_2026_icu PARTITION OF lab.order_2026 (amount DEFAULT 5) FOR VALUES IN ('ICU', 'CCU');
-- A partition whose columns lie in another order than the parent's, with a dropped one between.
CREATE TABLE lab."order 2026 急诊" (amount numeric(8, 2), gone text, ward text NOT NULL, day date NOT NULL, id bigint NOT NULL);
ALTER TABLE lab."order 2026 急诊" DROP COLUMN gone;
ALTER TABLE lab.order_2026 ATTACH PARTITION lab."order 2026 急诊" FOR VALUES IN ('急诊');
CREATE TABLE lab.order_2026_other PARTITION OF lab.order_2026 DEFAULT PARTITION BY HASH (id);
CREATE TABLE lab.order_2026_other_0 PARTITION OF lab.order_2026_other FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE lab.order_2026_other_1 PARTITION OF lab.order_2026_other FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE UNLOGGED TABLE lab.order_default PARTITION OF lab.order_ DEFAULT;
CREATE TABLE lab.no_partitions (id integer) PARTITION BY HASH (id);
-- Hashing an enum or text may differ between servers: rows must go back to the leaf they came from.
CREATE TABLE lab.by_blood (blood his.blood_group, n integer) PARTITION BY HASH (blood);
CREATE TABLE lab.by_blood_0 PARTITION OF lab.by_blood FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE lab.by_blood_1 PARTITION OF lab.by_blood FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE lab.by_blood_2 PARTITION OF lab.by_blood FOR VALUES WITH (MODULUS 3, REMAINDER 2);
INSERT INTO lab.order_
    SELECT n, (ARRAY['ICU', '急诊', '内科', '外科', ''])[n % 5 + 1], date '2025-06-01' + (n * 3)::integer, n + 0.5
    FROM generate_series(1, 300) AS n;
CREATE INDEX order_amount ON lab.order_ (amount) WHERE amount > 100;
CREATE INDEX order_ward_only ON ONLY lab.order_ (ward);
CREATE TABLE lab.order_line (
    order_id bigint, day date, ward text, line integer, PRIMARY KEY (order_id, day, line),
    FOREIGN KEY (order_id, ward, day) REFERENCES lab.order_ (id, ward, day) ON UPDATE CASCADE
) PARTITION BY HASH (order_id);
CREATE TABLE lab.order_line_0 PARTITION OF lab.order_line FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE lab.order_line_1 PARTITION OF lab.order_line FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO lab.order_line SELECT id, day, ward, line FROM lab.order_, generate_series(1, 2) AS line;
CREATE TABLE lab.order_note (
    order_id bigint, day date, ward text, note text, FOREIGN KEY (order_id, day, ward) REFERENCES lab.order_
);
CREATE TABLE lab.by_null (a integer) PARTITION BY LIST (a);
CREATE TABLE lab.by_null_null PARTITION OF lab.by_null FOR VALUES IN (NULL, 1);
INSERT INTO lab.by_null VALUES (NULL), (1), (NULL);
INSERT INTO lab.order_note SELECT id, day, ward, '备注' FROM lab.order_ WHERE id < 20;
INSERT INTO lab.by_blood
    SELECT blood, n FROM unnest(enum_range(NULL::his.blood_group)) AS blood, generate_series(1, 6) AS n;
CREATE TABLE lab.by_time (at timestamptz, device text COLLATE "C", value real) PARTITION BY RANGE (date_trunc('day', at AT TIME ZONE 'UTC'), device);
CREATE TABLE lab.by_time_all PARTITION OF lab.by_time FOR VALUES FROM (MINVALUE, MINVALUE) TO (MAXVALUE, MAXVALUE);
INSERT INTO lab.by_time VALUES ('2026-03-01 08:00+08', 'CT-1', 1.5), ('2026-03-01 09:00+08', 'CT-1', 'NaN');
-- Definitions that a server prints by the session's time zone, styles and digits.
CREATE TABLE lab.by_instant (
    at timestamptz DEFAULT '2026-01-01 00:00+00' CHECK (at > '2020-01-01 00:00+00'), day date DEFAULT '2026-01-31',
    raw bytea DEFAULT '\xdead5c00', share double precision DEFAULT 0.1::double precision + '0.2'::double precision,
    span interval DEFAULT '1 mon -2 days 03:04:05', third real DEFAULT '0.333333343'::real
) PARTITION BY RANGE (at);
CREATE TABLE lab.by_instant_2026 PARTITION OF lab.by_instant
    FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2027-01-01 00:00+00');
INSERT INTO lab.by_instant DEFAULT VALUES;
CREATE INDEX by_instant_recent ON lab.by_instant (share) WHERE at > '2026-06-01 00:00+00';
