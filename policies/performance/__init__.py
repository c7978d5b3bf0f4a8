"""A binary model's quality measured again on the evaluation data, judged by the bounds of its interval."""
