"""Data preparation: whether data are fit for the training and testing that rests on them."""
