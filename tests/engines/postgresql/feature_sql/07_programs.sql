CREATE TABLE ops.audit (n serial, what text, who text, detail text);
ALTER TABLE ops.audit ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY auditors ON ops.audit TO his_auditor USING (true) WITH CHECK (who = current_user);
CREATE POLICY own_rows ON ops.audit AS RESTRICTIVE FOR SELECT USING (who = session_user);
CREATE POLICY "删 除" ON ops.audit FOR DELETE TO his_owner, PUBLIC USING (n > 10);
CREATE TABLE ops.guarded (id integer, secret text);
ALTER TABLE ops.guarded ENABLE ROW LEVEL SECURITY;
INSERT INTO ops.guarded VALUES (1, 'nobody'), (2, 'sees'), (3, 'this');

CREATE FUNCTION ops.full_name(given text, family text DEFAULT '张', VARIADIC more text[] DEFAULT '{}')
    RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 5 AS $$ SELECT family || given || array_to_string(more, '/') $$;
CREATE FUNCTION ops.atomic(n integer) RETURNS SETOF his.patient LANGUAGE sql STABLE ROWS 7
    BEGIN ATOMIC SELECT * FROM his.patient WHERE id > n ORDER BY id; END;
CREATE FUNCTION ops.risky(INOUT a integer, OUT b his.person) LANGUAGE plpgsql SECURITY DEFINER LEAKPROOF
    SET search_path = his, pg_temp SET work_mem = '8MB' SET datestyle = 'ISO, DMY' AS $body$
BEGIN
    -- quotes ' and $$ and \ and a tab	and 中文
    a := a + 1;
    EXECUTE $q$SELECT ROW('x', NULL, NULL)::his.person$q$ INTO b;
EXCEPTION WHEN OTHERS THEN
    RAISE NOTICE '% failed', a;
END
$body$;
CREATE FUNCTION ops."函数 ""名"";"(polymorphic anyelement) RETURNS anyarray LANGUAGE sql AS 'SELECT ARRAY[$1]';
CREATE FUNCTION ops.rows_of(n integer) RETURNS TABLE (a integer, "乙" text) LANGUAGE plpgsql WINDOW AS 'BEGIN END';
CREATE PROCEDURE ops.tidy(INOUT done integer, keep interval DEFAULT '1 mon') LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM ops.audit WHERE n < done;
    COMMIT;
END $$;
CREATE AGGREGATE ops.joined(text) (SFUNC = textcat, STYPE = text, INITCOND = '→');
CREATE AGGREGATE ops.middle(double precision ORDER BY double precision) (
    SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = percentile_cont_float8_final
);
CREATE AGGREGATE ops.total(integer) (
    SFUNC = int4_sum, STYPE = bigint, COMBINEFUNC = int8pl, PARALLEL = safe, SORTOP = >,
    MSFUNC = int4_avg_accum, MINVFUNC = int4_avg_accum_inv, MSTYPE = bigint[], MFINALFUNC = int2int4_sum, MINITCOND = '{0,0}'
);

CREATE FUNCTION ops.note_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO ops.audit (what, who, detail) VALUES (TG_OP || ' ' || TG_TABLE_NAME, session_user, TG_ARGV[0]);
    RETURN coalesce(NEW, OLD);
END $$;
CREATE TRIGGER note_before BEFORE UPDATE OF name, born ON his.patient FOR EACH ROW
    WHEN (OLD.name IS DISTINCT FROM NEW.name) EXECUTE FUNCTION ops.note_change('it''s\', '中文', '');
CREATE TRIGGER note_after AFTER DELETE ON his.patient
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION ops.note_change();
CREATE TRIGGER "note 插入" AFTER INSERT OR TRUNCATE ON his.patient EXECUTE FUNCTION ops.note_change('statement');
CREATE TRIGGER note_off AFTER INSERT ON his.visit FOR EACH ROW EXECUTE FUNCTION ops.note_change('off');
ALTER TABLE his.visit DISABLE TRIGGER note_off;
CREATE TRIGGER note_replica AFTER INSERT ON his.visit FOR EACH ROW EXECUTE FUNCTION ops.note_change('replica');
ALTER TABLE his.visit ENABLE REPLICA TRIGGER note_replica;
-- Fires even under session_replication_role = replica, so rows must go in before it exists.
CREATE TRIGGER note_always AFTER INSERT ON his.visit FOR EACH ROW EXECUTE FUNCTION ops.note_change('always');
ALTER TABLE his.visit ENABLE ALWAYS TRIGGER note_always;
CREATE CONSTRAINT TRIGGER note_late AFTER UPDATE ON his.visit FROM his.patient
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ops.note_change('late');
CREATE TRIGGER note_order AFTER UPDATE ON lab.order_ FOR EACH ROW EXECUTE FUNCTION ops.note_change('order');
ALTER TABLE lab.order_2025 DISABLE TRIGGER note_order;
COMMENT ON TRIGGER note_before ON his.patient IS 'before; "改"';

CREATE VIEW his.patient_short AS SELECT id, name AS "姓 名", sex FROM his.patient WHERE sex IN ('男', '女') ORDER BY id;
CREATE VIEW his.guarded WITH (security_barrier = true) AS SELECT id, name FROM his.patient WHERE id > 1010;
CREATE VIEW his.editable WITH (check_option = cascaded, security_invoker = true) AS
    SELECT id, name, sex FROM his.patient WHERE sex = '男';
CREATE VIEW his.ward_tree AS WITH RECURSIVE tree (id, above) AS (
    SELECT id, above FROM his.ward WHERE above IS NULL UNION ALL
    SELECT w.id, w.above FROM his.ward AS w JOIN tree ON w.above = tree.id
) CYCLE id SET is_cycle USING path SELECT id, above, is_cycle FROM tree;
CREATE VIEW his.with_trigger AS SELECT 1 AS a, NULL::his.blood_group AS b;
ALTER VIEW his.with_trigger ALTER COLUMN a SET DEFAULT 42;
CREATE TRIGGER instead INSTEAD OF INSERT ON his.with_trigger FOR EACH ROW EXECUTE FUNCTION ops.note_change('instead');
-- A function and a view that need each other: the function's body is only text.
CREATE VIEW ops.people AS SELECT name, ops.full_name(name) AS full_name FROM his.patient;
CREATE FUNCTION ops.first_person() RETURNS ops.people LANGUAGE sql STABLE AS 'SELECT * FROM ops.people LIMIT 1';
-- Grouped by a primary key: the view can only be made once that key is there.
CREATE VIEW his.by_key AS SELECT p.id, p.name, count(*) FROM his.patient AS p JOIN his.visit AS v ON v.patient = p.id GROUP BY p.id;

CREATE RULE keep AS ON DELETE TO ops.guarded DO INSTEAD NOTHING;
CREATE RULE also AS ON UPDATE TO ops.guarded WHERE NEW.id > 2
    DO ALSO INSERT INTO ops.audit (what, who) VALUES ('rule', current_user);
CREATE RULE off AS ON INSERT TO ops.guarded DO ALSO NOTIFY guarded;
ALTER TABLE ops.guarded DISABLE RULE off;
COMMENT ON RULE keep ON ops.guarded IS 'nothing is deleted here';

CREATE MATERIALIZED VIEW lab.per_item WITH (fillfactor = 90) AS
    SELECT item, count(*) AS n, sum(value) AS total FROM lab.result GROUP BY item;
CREATE UNIQUE INDEX per_item_item ON lab.per_item (item);
CREATE MATERIALIZED VIEW lab."a view on a view" AS SELECT max(n) AS most FROM lab.per_item;
CREATE MATERIALIZED VIEW lab.not_yet AS SELECT * FROM lab.per_item WHERE n > 5 WITH NO DATA;
CREATE INDEX ON lab.not_yet (item);
CREATE MATERIALIZED VIEW lab.stale AS SELECT count(*) FROM lab.hollow;
INSERT INTO lab.hollow VALUES (9999, 'after the view was filled');
COMMENT ON MATERIALIZED VIEW lab.stale IS 'filled before the last row came';

-- A table whose default, check and generated column call the hospital's own functions.
CREATE TABLE ops.calls (
    id integer DEFAULT nextval('his.standalone'), name text DEFAULT ops.full_name('三'),
    dist double precision GENERATED ALWAYS AS (his.float_distance(4, 1)) STORED, CHECK (ops.full_name(name) <> '')
);
INSERT INTO ops.calls (id) VALUES (1), (2);
CREATE TABLE ops.key_off (parent integer REFERENCES his.legacy);
INSERT INTO ops.key_off VALUES (1);
ALTER TABLE ops.key_off DISABLE TRIGGER ALL;

CREATE TABLE ops.ddl_log (tag text, identity text);
CREATE FUNCTION ops.log_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO ops.ddl_log SELECT command_tag, object_identity FROM pg_event_trigger_ddl_commands(); END $$;
CREATE EVENT TRIGGER log_ddl ON ddl_command_end
    WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE', 'CREATE INDEX', 'CREATE FUNCTION') EXECUTE FUNCTION ops.log_ddl();
CREATE TABLE ops.seen_by_event_trigger (id integer);
CREATE FUNCTION ops.nothing() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER "off 关" ON sql_drop EXECUTE FUNCTION ops.nothing();
ALTER EVENT TRIGGER "off 关" DISABLE;
ALTER EVENT TRIGGER log_ddl ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER log_ddl IS 'who changed tables';
