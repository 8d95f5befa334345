UPDATE :"tickets"
   SET :"state" = :expired,
       :"closed" = :closed_at
 WHERE :"state" = :waiting
   AND :"issued" < :until;
