/*
description: One row, what a customer bought; none when there is no such customer.
parameters:
  customer_id: {type: bigint, description: id of the customer in the shop's database}
*/
SELECT customer_id, name, city, carts, units, revenue, first_cart_at, last_cart_at
FROM refined.customer_value
WHERE customer_id = :customer_id
