"""A gate request and its life: plan, measurement, decision, sealed evidence."""
