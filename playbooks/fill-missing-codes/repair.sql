UPDATE :"items" AS item
   SET :"item_code" = (SELECT entry.:"code"
                         FROM :"dictionary" AS entry
                        WHERE entry.:"name" = item.:"item_name")
 WHERE (item.:"item_code" IS NULL OR item.:"item_code" = '')
   AND item.:"item_name" IN (SELECT :"name" FROM :"dictionary");
