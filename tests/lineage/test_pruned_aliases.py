"""A dataset that has several names is pruned under all of them, and under no name that was taken from it."""

from governance.database import Database
from lineage.prunings import Target
from tests.lineage.material import bodies, dataset, dataset_event
from tests.lineage.test_prunings import everywhere, holds, pruned, take


def test_a_dataset_is_pruned_under_each_of_its_names(database: Database) -> None:
    link = {"identifiers": [{"namespace": "s3://lake", "name": "persons", "type": "TABLE"}]}
    alias = dataset("persons", ownership={"owners": [{"name": "user:ann-lindqvist"}]})
    stranger = dataset("other", ownership={"owners": [{"name": "user:bo"}]})
    carrier = dataset("people", symlinks=link)
    take(database, *bodies(dataset_event(alias, 0), dataset_event(stranger, 1), dataset_event(carrier, 2)))
    made = pruned(database, Target(node=("dataset", "s3://lake", "people")))
    assert made.target["aliases"] == [{"namespace": "s3://lake", "name": "persons"}]
    assert made.event_count == 1
    assert b"lindqvist" not in everywhere(database).lower()
    assert b"user:bo" in everywhere(database)
    holds(database)


def test_a_name_that_a_symlink_no_longer_gives_is_not_pruned(database: Database) -> None:
    link = {"identifiers": [{"namespace": "s3://lake", "name": "persons", "type": "TABLE"}]}
    alias = dataset("persons", ownership={"owners": [{"name": "user:bo"}]})
    linked, apart = dataset("people", symlinks=link), dataset("people", symlinks={"_deleted": True})
    take(database, *bodies(dataset_event(alias, 0), dataset_event(linked, 1), dataset_event(apart, 2)))
    made = pruned(database, Target(node=("dataset", "s3://lake", "people")))
    assert "aliases" not in made.target
    assert b"user:bo" in everywhere(database)
    holds(database)
