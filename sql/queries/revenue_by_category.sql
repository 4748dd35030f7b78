/*
description: One row per category, what was sold of it, for categories with at least a minimum of revenue.
parameters:
  minimum: {type: "decimal(20,2)", default: 0, description: least revenue in USD}
*/
SELECT category, count(*) AS products, sum(units) AS units, sum(revenue) AS revenue
FROM refined.product_sales
GROUP BY category
HAVING sum(revenue) >= :minimum
ORDER BY sum(revenue) DESC, category
