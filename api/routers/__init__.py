"""Routes, one file a subject: each authenticates, opens a unit, calls one function and shapes the answer."""
