"""What people register under a name: schemas of data, each version for good."""
