SELECT his.body_mass(70, 0) IS NULL;
SELECT his.body_mass(81, 1.8) = 25;
