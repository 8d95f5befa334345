UPDATE :"specimens"
   SET :"specimen_patient" = :to_patient
 WHERE :"specimen_key" = :specimen
   AND :"specimen_patient" = :from_patient;

UPDATE :"results"
   SET :"result_patient" = :to_patient
 WHERE :"result_specimen" = :specimen
   AND :"result_patient" = :from_patient;
