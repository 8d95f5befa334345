DROP TABLE his.drug_movement;

DROP TYPE his.movement_kind;
