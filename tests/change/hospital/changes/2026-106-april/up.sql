CREATE TABLE his.visit_2026_04 PARTITION OF his.visit
    FOR VALUES FROM ('2026-04-01') TO ('2026-05-01');

-- step: a table like the partitions
CREATE TABLE his.observation_2026_04 (LIKE his.observation INCLUDING ALL EXCLUDING IDENTITY);

-- step: what is in the default and belongs there
WITH moved AS (
    DELETE FROM his.observation_rest
    WHERE observed_at >= '2026-04-01' AND observed_at < '2026-05-01' RETURNING *
)
INSERT INTO his.observation_2026_04 SELECT * FROM moved;

ALTER TABLE his.observation ATTACH PARTITION his.observation_2026_04
    FOR VALUES FROM ('2026-04-01') TO ('2026-05-01');
