{{ config(materialized='table') }}
select customer, sum(amount) as total from {{ ref('stg_claims') }} group by customer
