"""Work: rows are the truth, the engine is only the doorbell.

An evaluation to measure or a report to render is a row in its own table, with a state, a deadline and a lease. After
commit the engine is rung; a ring that gets lost is made up for by a sweep. Only the holder of a row's lease may write
its result, so that work done twice is recorded once.
"""
