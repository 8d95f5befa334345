UPDATE :"visits"
   SET :"ward" = :to_ward
 WHERE :"ward" = :from_ward
   AND :"admitted" >= :since;
