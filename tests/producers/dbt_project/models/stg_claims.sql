select id as claim_id, customer, amount from {{ source('raw', 'raw_claims') }}
