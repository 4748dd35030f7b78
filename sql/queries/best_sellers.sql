/*
description: One row per product that is among the best of its category by revenue, best first.
parameters:
  category: {type: string, default: null, description: only this category; all when left out}
  best: {type: int, default: 3, description: how many products of each category}
*/
WITH ranked AS (
  SELECT category, product_id, title, units, revenue,
    row_number() OVER (PARTITION BY category ORDER BY revenue DESC, product_id) AS place
  FROM refined.product_sales
  WHERE units > 0 AND (:category IS NULL OR category = :category)
)
SELECT category, place, product_id, title, units, revenue
FROM ranked
WHERE place <= :best
ORDER BY category, place
