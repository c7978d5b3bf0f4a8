"""What people register under a name: schemas of data and model versions, each version for good."""
