ALTER TABLE sample ADD COLUMN tube TEXT CHECK (tube IN ('edta', 'serum', 'citrate'));

CREATE INDEX sample_tube ON sample (tube) WHERE tube IS NOT NULL;
