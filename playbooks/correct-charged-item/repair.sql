UPDATE :"items"
   SET :"item_code" = :to_code,
       :"item_quantity" = :quantity,
       :"item_price" = :unit_price,
       :"item_amount" = :quantity * :unit_price
 WHERE :"item_key" = :item
   AND :"item_bill" = :bill
   AND :"item_code" = :from_code;

-- The total comes from the items, never from the old total: that one may have been wrong as well.
UPDATE :"bills"
   SET :"bill_total" = (SELECT sum(:"item_amount") FROM :"items" WHERE :"item_bill" = :bill)
 WHERE :"bill_key" = :bill
   AND :"bill_total" <> (SELECT sum(:"item_amount") FROM :"items" WHERE :"item_bill" = :bill);
