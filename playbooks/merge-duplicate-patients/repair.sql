UPDATE :"visits" SET :"visit_patient" = :kept WHERE :"visit_patient" = :doubled;
UPDATE :"specimens" SET :"specimen_patient" = :kept WHERE :"specimen_patient" = :doubled;
UPDATE :"bills" SET :"bill_patient" = :kept WHERE :"bill_patient" = :doubled;

-- The doubled record stays, and says where to look: printed numbers must be found for years.
UPDATE :"patients" SET :"merged_into" = :kept WHERE :"patient_key" = :doubled;
