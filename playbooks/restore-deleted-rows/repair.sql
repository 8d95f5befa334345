INSERT INTO :"items" (:"key", :"parent", :"code", :"name", :"quantity", :"ordered")
VALUES (:lost.id, :lost.order_id, :lost.item_code, :lost.item_name, :lost.quantity,
        :lost.ordered_at);
