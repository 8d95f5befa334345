-- step: a table to which keys of others lead cannot be dropped while it is a partition
ALTER TABLE his.visit DETACH PARTITION his.visit_2026_04;

DROP TABLE his.visit_2026_04;

ALTER TABLE his.observation DETACH PARTITION his.observation_2026_04;

INSERT INTO his.observation_rest SELECT * FROM his.observation_2026_04;

DROP TABLE his.observation_2026_04;
