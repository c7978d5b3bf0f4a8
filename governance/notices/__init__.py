"""Events for people and machines outside: written with what they tell of, and delivered to webhooks."""
