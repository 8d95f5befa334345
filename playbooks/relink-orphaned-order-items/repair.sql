UPDATE :"items" AS item
   SET :"item_order" = (SELECT found.:"order_key"
                          FROM :"orders" AS found
                         WHERE found.:"order_number" = item.:"item_number")
 WHERE (item.:"item_order" IS NULL
        OR item.:"item_order" NOT IN (SELECT :"order_key" FROM :"orders"))
   AND item.:"item_number" IN (SELECT :"order_number" FROM :"orders");
