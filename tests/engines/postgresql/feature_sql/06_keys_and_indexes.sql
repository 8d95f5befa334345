CREATE INDEX patient_lower ON his.patient (lower(name) COLLATE "C" DESC NULLS LAST) WHERE born > '1960-01-01';
CREATE UNIQUE INDEX patient_name ON his.patient (name) INCLUDE (born, sex);
CREATE INDEX patient_backwards ON his.patient (name his.text_backwards);
CREATE INDEX patient_sex ON his.patient (sex) WHERE sex IN ('男', 'x');
CREATE INDEX result_expression ON lab.result ((value * 2), (patient || ':' || item)) WITH (fillfactor = 70);
ALTER INDEX lab.result_expression ALTER COLUMN 1 SET STATISTICS 300;
CREATE INDEX result_brin ON lab.result USING brin (at) WITH (pages_per_range = 16);
CREATE INDEX result_hash ON lab.result USING hash (item);
CREATE INDEX documents_gin ON his.documents USING gin (jb jsonb_path_ops);
CREATE INDEX shapes_gist ON his.shapes USING gist (b);
CREATE INDEX addresses_spgist ON his.addresses USING spgist (i);
CREATE INDEX " 索引 ""一"".;
\." ON lab.duplicates (a, b);
CREATE INDEX patient_at ON his.visit (patient, at);
ALTER TABLE lab.result CLUSTER ON result_pkey;
ALTER TABLE his.visit CLUSTER ON patient_at;

CREATE TABLE his.booking (
    room integer NOT NULL, during daterange, cancelled boolean DEFAULT false, code text,
    CONSTRAINT no_overlap EXCLUDE USING gist (int4range(room, room, '[]') WITH =, during WITH &&)
        WHERE (NOT cancelled) DEFERRABLE INITIALLY IMMEDIATE,
    CONSTRAINT code_once UNIQUE NULLS NOT DISTINCT (code) INCLUDE (room) WITH (fillfactor = 80),
    CONSTRAINT never_checked CHECK (room < 100) NO INHERIT
);
INSERT INTO his.booking VALUES (1, '[2026-01-01,2026-02-01)', false, NULL), (1, '[2026-01-05,2026-01-06)', true, 'a');

-- Rows that break a constraint which was added without looking at them.
CREATE TABLE his.legacy (id integer NOT NULL, parent integer, code varchar(10), status varchar(10));
INSERT INTO his.legacy VALUES (1, 99, 'bad code', 'open'), (2, NULL, 'OK', 'shut');
ALTER TABLE his.legacy ADD CONSTRAINT code_form CHECK (code ~ '^[A-Z]+$') NOT VALID;
ALTER TABLE his.legacy ADD PRIMARY KEY (id);
ALTER TABLE his.legacy ADD CONSTRAINT known_parent FOREIGN KEY (parent) REFERENCES his.legacy NOT VALID;
ALTER TABLE his.legacy ADD CONSTRAINT known_status CHECK (status IN ('open', 'shut', '作废'));

-- Two tables that need each other, and one that needs itself.
CREATE TABLE his.ward (id integer PRIMARY KEY, head integer NOT NULL, above integer REFERENCES his.ward);
CREATE TABLE his.head (id integer PRIMARY KEY, ward integer NOT NULL REFERENCES his.ward);
INSERT INTO his.ward VALUES (3, 7, NULL), (1, 7, 3), (2, 8, 1);
INSERT INTO his.head VALUES (8, 2), (7, 1);
ALTER TABLE his.ward ADD FOREIGN KEY (head) REFERENCES his.head DEFERRABLE;

-- Foreign keys into a partitioned table, from another column order, and with a column list.
CREATE TABLE his.follow_up (
    day date, order_id bigint, ward text, patient bigint,
    FOREIGN KEY (order_id, ward, day) REFERENCES lab.order_ (id, ward, day) MATCH FULL ON DELETE SET NULL,
    FOREIGN KEY (patient) REFERENCES his.patient ON DELETE SET DEFAULT (patient)
);
INSERT INTO his.follow_up SELECT day, id, ward, 1002 FROM lab.order_ WHERE id BETWEEN 5 AND 9;

ALTER TABLE his.patient REPLICA IDENTITY USING INDEX patient_name;
ALTER TABLE lab.duplicates REPLICA IDENTITY FULL;
ALTER TABLE lab.wide REPLICA IDENTITY NOTHING;

CREATE STATISTICS his.patient_statistics (ndistinct, mcv) ON sex, born, (weight * 2) FROM his.patient;
CREATE STATISTICS his."统计" (dependencies) ON patient, item FROM lab.result;
ALTER STATISTICS his.patient_statistics SET STATISTICS 50;
COMMENT ON STATISTICS his.patient_statistics IS 'sex and year';
