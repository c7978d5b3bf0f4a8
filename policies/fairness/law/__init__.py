"""What named laws prescribe about selections: exact arithmetic on counts, and outcomes that invent no threshold."""
