"""Search: literal words on both databases alike, kept up to date, filtered, sorted and paged."""

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from governance.database import Database
from governance.errors import InputRefused
from governance.settings import LineageSettings
from lineage.actions import Target, delete_node, tag
from lineage.digest import export, state_digest
from lineage.ingest import record_events
from lineage.replay import replay
from lineage.search import SearchPage, SearchQuery, search
from lineage.words import asked_words, exact_word, weighed, words_of
from tests.lineage.material import NOON, bodies, dataset, dataset_event, facet, real_bodies, run_event, run_id
from tests.lineage.test_columns import mapped, step

LAKE = "s3://lake"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("CustomerOrders_v2", {"customer", "orders", "customerorders", "v2"}),
        ("HTTPServer2", {"http", "server2", "httpserver2"}),
        ("s3://lake/a-b.c", {"s3", "lake", "a", "b", "c"}),
        ("ÄpfelUndBirnen", {"äpfel", "und", "birnen", "äpfelundbirnen"}),
        ("Straße", {"strasse"}),
        ("% _ * ' \" \\ \x00", set()),
        ("", set()),
    ],
)
def test_text_is_split_at_punctuation_and_case_changes(text: str, words: set[str]) -> None:
    assert set(words_of(text)) == words


def test_writing_without_spaces_is_found_from_any_character_on() -> None:
    assert {"顧客データ", "客データ", "データ"} <= set(words_of("顧客データ"))


@given(st.text(max_size=60))
def test_words_hold_nothing_that_either_database_could_take_for_syntax(text: str) -> None:
    words = [*words_of(text), *(word for parts, whole in asked_words(text) for word in (*parts, whole))]
    assert all(word and not set(word) & set("'\"\\*:&|!()<>{}^+-_ \t\n\x00") for word in words)
    assert exact_word("tag", text) not in words


@given(st.text(alphabet="aBÄ9 ._", max_size=20))
def test_what_is_stored_is_found_by_its_own_text(text: str) -> None:
    stored = set(words_of(text))
    assert all(set(parts) <= stored or whole in stored for parts, whole in asked_words(text))


def test_words_beyond_the_room_are_left_out_the_lightest_first() -> None:
    found = weighed([("a", ["name"]), ("d", ["much", "more"])], 10)
    assert found == {"name": "a", "much": "d"}


# --- stored ----------------------------------------------------------------------------------------------------------


def fill(database: Database, *documents: Any) -> None:
    with database.unit() as unit:
        record_events(unit, bodies(*documents), LineageSettings())


def ask(database: Database, text: str = "", **query: Any) -> SearchPage:
    with database.read_unit() as unit:
        return search(unit, SearchQuery(text, **query))


def names(found: SearchPage) -> list[str]:
    return [hit.name for hit in found.hits]


def described(name: str, description: str, minute: float = 0) -> dict[str, Any]:
    return dataset_event(dataset(name, documentation={"description": description}), minute)


def test_names_namespaces_fields_descriptions_tags_and_owners_are_found(database: Database) -> None:
    of = {
        "schema": {"fields": [{"name": "home", "fields": [{"name": "zipCode"}], "description": "where they dwell"}]},
        "documentation": {"description": "everybody we billed"},
        "tags": {"tags": [{"key": "gold", "value": "tier1"}, {"key": "pii", "value": "true", "field": "home.zipCode"}]},
        "ownership": {"owners": [{"name": "team:billing", "type": "MAINTAINER"}]},
    }
    fill(
        database, dataset_event(dataset("CustomerInvoices", **of)), step(1, mapped("x", {"loyalty": [("y", "points")]}))
    )
    for text in ("customer invoices", "CustomerInvoices", "customerinv", "lake", "zipcode", "zip code", "home.zip",
                 "dwell", "billed", "gold", "tier1", "pii", "team:billing"):  # fmt: skip
        assert "CustomerInvoices" in names(ask(database, text)), text
    assert names(ask(database, "loyalty")) == ["x"]
    assert names(ask(database, "points")) == ["y"]
    assert names(ask(database, "job1")) == ["job1"]


def test_every_word_must_be_found_and_the_last_as_a_beginning(database: Database) -> None:
    fill(database, dataset_event(dataset("customer_orders")))
    assert names(ask(database, "orders cust")) == ["customer_orders"]
    assert names(ask(database, "cust orders")) == []
    assert names(ask(database, "customer refunds")) == []


SYNTAX = ["%", "*", "a*b", "a OR zzz", '"', "'", "\\", "a:b", "NOT a", "(a", "{a}", "a^2", "a -b", "a & b", "a | b",
          "!a", "<->", "a <-> b", "\x00", "\ud800", ":", "a + b", "NEAR(a b)"]  # fmt: skip


@pytest.mark.parametrize("text", SYNTAX)
def test_no_character_of_the_question_is_an_operator(database: Database, text: str) -> None:
    fill(database, dataset_event(dataset("a")), dataset_event(dataset("b")))
    wanted = [word for _, word in asked_words(text)]
    expected = [name for name in "ab" if wanted and all(word in {name, "s3", "lake"} for word in wanted)]
    assert sorted(names(ask(database, text))) == expected


def test_hits_by_name_come_before_hits_by_tag_field_and_description(database: Database) -> None:
    by_tag = dataset_event(dataset("t", tags={"tags": [{"key": "claims", "value": "true"}]}))
    by_field = dataset_event(dataset("f", schema={"fields": [{"name": "claims"}]}))
    fill(database, described("d", "all claims"), by_field, by_tag, dataset_event(dataset("claims_of_all_years")),
         dataset_event(dataset("claims")))  # fmt: skip
    assert names(ask(database, "claims")) == ["claims", "claims_of_all_years", "t", "f", "d"]


def test_hits_are_sorted_by_name_or_by_when_they_were_last_seen(database: Database) -> None:
    fill(database, *(dataset_event(dataset(f"of_{name}"), minute) for minute, name in enumerate("bca")))
    assert names(ask(database, "of", sort="name")) == ["of_a", "of_b", "of_c"]
    assert names(ask(database, "of", sort="updated_at")) == ["of_a", "of_c", "of_b"]


@pytest.mark.parametrize("sort", ["relevance", "name", "updated_at"])
def test_pages_join_to_the_whole(database: Database, sort: Any) -> None:
    source = random.Random(7)
    fill(database, *(dataset_event(dataset(f"{source.choice('xyz')}_table_{number}Ä"), source.randrange(4))
                     for number in range(23)))  # fmt: skip
    whole = ask(database, "table", sort=sort)
    assert (len(whole.hits), whole.total, whole.next_cursor) == (23, 23, None)
    found: list[str] = []
    cursor: str | None = None
    for _ in range(5):
        page = ask(database, "table", sort=sort, limit=5, cursor=cursor)
        assert page.total == 23
        found += names(page)
        cursor = page.next_cursor
    assert (found, cursor) == (names(whole), None)


@pytest.mark.parametrize("cursor", ["", "x", "!!", "W10", "eyJhIjoxfQ", "WzEsMiwzXQ", "é"])
def test_a_cursor_of_another_question_is_refused(database: Database, cursor: str) -> None:
    fill(database, *(dataset_event(dataset(f"table_{number}")) for number in range(3)))
    other = ask(database, "tab", limit=1).next_cursor
    for given_cursor in (cursor, other):
        with pytest.raises(InputRefused):
            ask(database, "table", limit=1, cursor=given_cursor)


def test_hits_are_filtered(database: Database) -> None:
    tagged = dataset("claims", tags={"tags": [{"key": "gold", "value": "tier1", "field": "x"}]},
                     ownership={"owners": [{"name": "ines"}]}, datasetType={"datasetType": "TABLE"})  # fmt: skip
    other = dataset("claims_copy", "hdfs://far")
    fill(
        database,
        run_event(job="claims_job", inputs=[tagged], outputs=[other]),
        dataset_event(dataset("claims_late"), 60),
    )
    assert set(names(ask(database, "claims"))) == {"claims", "claims_copy", "claims_job", "claims_late"}
    filters: list[tuple[dict[str, Any], set[str]]] = [
        ({"kinds": ("job",)}, {"claims_job"}),
        ({"namespaces": ("hdfs://far", "batch")}, {"claims_copy", "claims_job"}),
        ({"types": ("table",)}, {"claims"}),
        ({"tags": ("gold",)}, {"claims"}),
        ({"tags": ("gold=tier1", "none")}, {"claims"}),
        ({"tags": ("gol",)}, set()),
        ({"owners": ("ines",)}, {"claims"}),
        ({"owners": ("ines",), "tags": ("none",)}, set()),
        ({"after": NOON + timedelta(minutes=60)}, {"claims_late"}),
        ({"before": NOON + timedelta(minutes=60)}, {"claims", "claims_copy", "claims_job"}),
    ]  # fmt: skip
    for query, expected in filters:
        assert set(names(ask(database, "claims", **query))) == expected, query
    assert names(ask(database, tags=("gold",))) == ["claims"]
    assert ask(database).total == 4


def test_a_hit_tells_the_fields_that_matched(database: Database) -> None:
    schema = {"fields": [{"name": "address", "fields": [{"name": "zipCode"}]}, {"name": "age"}]}
    fill(database, dataset_event(dataset("people", schema=schema)))
    (hit,) = ask(database, "zip").hits
    assert hit.fields == ("address.zipCode",)


def test_what_changes_is_found_by_the_new_and_no_longer_by_the_old(database: Database) -> None:
    fill(database, described("t", "apples"))
    fill(database, described("t", "pears", 5))
    assert (names(ask(database, "apples")), names(ask(database, "pears"))) == ([], ["t"])
    fill(database, described("t", "late plums", 3))
    assert (names(ask(database, "plums")), names(ask(database, "pears"))) == ([], ["t"])
    fill(database, dataset_event(dataset("t", documentation={"_deleted": True}), 6))
    assert names(ask(database, "pears")) == []


def test_tags_set_by_hand_are_found_and_those_taken_away_are_not(database: Database) -> None:
    fill(database, dataset_event(dataset("t", tags={"tags": [{"key": "told", "value": "true"}]})))
    target = Target("dataset", LAKE, "t")
    with database.unit() as unit:
        tag(unit, target, "byhand", "user:ines")
        tag(unit, target, "told", "user:ines", is_set=False)
    assert (names(ask(database, "byhand")), names(ask(database, "told"))) == (["t"], [])
    with database.unit() as unit:
        replay(unit)
    assert (names(ask(database, "byhand")), names(ask(database, "told"))) == (["t"], [])


def test_a_deleted_node_is_found_again_once_an_event_names_it(database: Database) -> None:
    fill(database, dataset_event(dataset("gone")))
    with database.unit() as unit:
        delete_node(unit, Target("dataset", LAKE, "gone"), "user:ines")
    assert ask(database, "gone").total == 0
    fill(database, dataset_event(dataset("gone"), 1))
    assert names(ask(database, "gone")) == ["gone"]


def test_a_dataset_is_found_by_its_other_names(database: Database) -> None:
    links = {"identifiers": [{"namespace": "hive", "name": "warehouse.sales", "type": "TABLE"}]}
    fill(database, dataset_event(dataset("path/of/it", symlinks=links)))
    assert names(ask(database, "warehouse")) == ["path/of/it"]
    fill(database, dataset_event(dataset("path/of/it", symlinks={"_deleted": True}), 1))
    assert names(ask(database, "warehouse")) == []


def renamed(old: str, new: str, minute: float) -> dict[str, Any]:
    change = {"lifecycleStateChange": "RENAME", "previousIdentifier": {"namespace": LAKE, "name": old}}
    return dataset_event(dataset(new, lifecycleStateChange=change), minute)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_a_renamed_dataset_is_found_by_every_name_it_had(database: Database, order: Sequence[int]) -> None:
    events = [dataset_event(dataset("first")), renamed("first", "second", 1), renamed("second", "third", 2)]
    for place in order:
        fill(database, events[place])
    assert [names(ask(database, text)) for text in ("first", "second", "third")] == [["third"]] * 3


def test_an_event_that_says_nothing_new_asks_once_and_writes_nothing(database: Database) -> None:
    statements: list[str] = []
    output = mapped("b", {"x": [("a", "x")]}, documentation={"description": "d"}, schema={"fields": [{"name": "x"}]})
    fill(database, step(1, output))
    sa.event.listen(database.engine, "before_cursor_execute", lambda *told: statements.append(told[2]))
    fill(database, step(2, output, job="job1"), step(3, output, job="job1"))
    about = [statement for statement in statements if "lineage_search" in statement]
    assert [statement.split()[0] for statement in about] == ["SELECT"]


def test_any_order_and_a_rebuild_give_one_index_and_one_digest(database: Database) -> None:
    contents = sorted(real_bodies().values())[:80]
    random.Random(5).shuffle(contents)
    with database.unit() as unit:
        for start in range(0, len(contents), 9):
            record_events(unit, contents[start : start + 9], LineageSettings())
    with database.unit() as unit:
        first, lines = state_digest(unit), [line for line in export(unit) if line.startswith(b'["search"')]
        replay(unit)
        assert state_digest(unit) == first
        assert [line for line in export(unit) if line.startswith(b'["search"')] == lines
    assert lines


def test_a_schema_of_thousands_of_fields_is_indexed(database: Database) -> None:
    fields = [{"name": f"column{number}", "description": "x" * 50 + str(number)} for number in range(12_000)]
    wide = {"namespace": LAKE, "name": "wide", "facets": {"schema": facet(fields=fields)}}
    fill(database, dataset_event(wide))
    assert names(ask(database, "column11999")) == ["wide"]


def test_text_in_any_script_is_found(database: Database) -> None:
    fill(database, dataset_event(dataset("顧客データ")), dataset_event(dataset("Kundenübersicht")),
         dataset_event(dataset("заказыКлиентов")), dataset_event(dataset("हिन्दी_तालिका")))  # fmt: skip
    assert names(ask(database, "データ")) == ["顧客データ"]
    assert names(ask(database, "kundenÜber")) == ["Kundenübersicht"]
    assert names(ask(database, "клиентов")) == ["заказыКлиентов"]
    assert names(ask(database, "हिन्दी")) == ["हिन्दी_तालिका"]


def test_runs_of_one_job_are_one_hit(database: Database) -> None:
    fill(database, *(run_event(run=run_id(number), job="nightly") for number in range(5)))
    assert ask(database, "nightly").total == 1
