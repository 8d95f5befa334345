SELECT count(*) = 0 FROM his.observation_rest WHERE observed_at < '2026-05-01';
SELECT count(*) > 0 FROM his.observation_2026_04;
