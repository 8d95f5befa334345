CREATE TABLE his.fax_log (
    id serial PRIMARY KEY,
    sent_at timestamptz NOT NULL DEFAULT now(),
    number varchar(20) NOT NULL,
    pages smallint CHECK (pages > 0)
);

CREATE INDEX fax_log_sent ON his.fax_log (sent_at);

COMMENT ON TABLE his.fax_log IS 'Faxes of the discharge office';

GRANT SELECT ON his.fax_log TO hospital_report;

CREATE TRIGGER fax_audit AFTER INSERT ON his.fax_log FOR EACH ROW EXECUTE FUNCTION audit.note('id');

ALTER TABLE his.fax_log DISABLE TRIGGER fax_audit;

CREATE VIEW his.fax_number AS SELECT DISTINCT number FROM his.fax_log;

CREATE RULE fax_number_gone AS ON INSERT TO his.fax_number DO INSTEAD NOTHING;
