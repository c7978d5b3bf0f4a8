"""Published tables computed again: real audits against counts found independently, and each kind of fault."""

import gzip
from collections import Counter
from fractions import Fraction

import pytest

from governance.errors import InputRefused
from policies.fairness.law.recheck import RecheckedRow, RecheckedTable, read_published, recheck
from tests.conftest import shared_path
from tests.support.neutral import read


def real() -> tuple[RecheckedTable, ...]:
    """The tables of 116 published audits, checked."""
    content = gzip.decompress(shared_path("data/ll144/published_audits.csv.gz").read_bytes())
    return recheck(read_published(content.decode("utf-8-sig")))


def only(text: str) -> RecheckedTable:
    """The one table of a CSV."""
    (table,) = recheck(read_published(text))
    return table


def test_published_audits_reproduce_as_often_as_was_found_independently() -> None:
    tables = real()
    readings = Counter(table.reading for table in tables)
    assert len(tables) - readings["no_ratios"] == 524
    assert (readings["highest_rate"], readings["two_percent_exclusion"]) == (187, 32)
    rows = [row for table in tables for row in table.rows]
    assert sum("ratio_above_1" in row.impossible for row in rows) == 329


def test_the_published_table_of_one_audit_reproduces_with_the_small_groups_left_out() -> None:
    document = read(shared_path("reference/ll144_published_wells_fargo_2023.json"))
    name = "wells_fargo_unknown_dci_consulting_group_2023_audit_1 / Selection, top and middle"
    found: dict[tuple[str, str], RecheckedRow] = {}
    for table in real():
        if table.name.startswith(name):
            kind = table.name.rpartition(" / ")[2] if "race/" not in table.name else "race/ethnicity"
            found |= {(kind, row.published.category): row for row in table.rows}
    for check in document["checks"]:
        group = check["group"]
        levels = [level for level in (group["sex"], group["race_ethnicity"]) if level != "Total"]
        row = found[group["table"], " / ".join(levels)]
        if check["metric"] == "excluded_below_2_percent":
            assert row.may_be_excluded is check["expected"]
            continue
        value = row.published.rate if check["metric"] == "selection_rate" else row.ratio_under_exclusion
        assert value is not None
        assert abs(float(value) - check["expected"]) <= check["tolerance"], check


def test_a_table_by_the_highest_rate_reproduces() -> None:
    table = only("sex,n,selected,impact_ratio\nMale,1390,667,1.00\nFemale,1181,555,0.979\n")
    assert table.reading == "highest_rate"
    assert table.rows[1].ratio_to_highest == Fraction(555 * 1390, 1181 * 667)


def test_a_table_without_its_smallest_group_reproduces_under_the_exclusion() -> None:
    table = only("group,n,rate,impact_ratio\na,1000,0.5,1\nb,980,0.4,0.8\nc,1,1,\n")
    assert table.reading == "two_percent_exclusion"
    assert [row.may_be_excluded for row in table.rows] == [False, False, True]
    assert [row.is_small for row in table.rows] == [False, False, True]
    assert [row.reproduces_exclusion for row in table.rows] == [True, True, None]


def test_a_wrong_ratio_does_not_reproduce() -> None:
    table = only("group,n,rate,impact_ratio\na,1000,0.5,1\nb,980,0.4,0.85\n")
    assert (table.reading, table.rows[1].reproduces_highest) == ("neither", False)


def test_the_tolerance_is_inclusive_and_exact() -> None:
    table = "group,n,rate,impact_ratio\na,100,0.5,1\nb,100,0.4,0.812\n"
    assert only(table).reading == "highest_rate"
    assert recheck(read_published(table), tolerance=Fraction("0.0119"))[0].reading == "neither"


def test_a_ratio_without_a_rate_does_not_reproduce() -> None:
    assert only("group,n,rate,impact_ratio\na,100,0.5,1\nb,100,,0.8\n").rows[1].reproduces_highest is False


@pytest.mark.parametrize("name", ["", "Unknown", "missing/UNKNOWN"])
def test_unknown_people_are_no_reference(name: str) -> None:
    table = only(f"group,n,rate,impact_ratio\na,100,0.5,1\nb,100,0.4,0.8\n{name},500,0.9,\n")
    assert table.reading == "highest_rate"
    assert table.rows[2].ratio_to_highest is None


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("b,100,50,0.5,1.25", "ratio_above_1"),
        ("b,100,120,1.2,1", "rate_above_1"),
        ("b,100,120,1,1", "more_selected_than_people"),
        ("b,100,-1,0,0", "negative_number"),
        ("b,100,40,0.41,1", "rate_is_not_that_of_the_counts"),
        ("b,0,0,0,0", "ratio_of_nobody"),
        ("b,100,50,0.5,1\nb,100,50,0.5,1", "category_twice"),
    ],
)
def test_what_cannot_be_true_is_named(line: str, fault: str) -> None:
    table = only(f"group,n,selected,rate,impact_ratio\na,100,50,0.5,1\n{line}\n")
    assert fault in table.rows[1].impossible
    assert table.rows[0].impossible == ()


def test_a_rounded_rate_is_that_of_its_counts() -> None:
    assert only("group,n,selected,rate,impact_ratio\na,217,170,0.78,1\n").rows[0].impossible == ()


def test_a_table_that_prints_no_ratio_has_no_reading() -> None:
    assert only("group,n,rate,impact_ratio\na,100,0.5,\nb,100,0.4,\n").reading == "no_ratios"


def test_a_table_in_which_nobody_is_selected_does_not_reproduce() -> None:
    assert only("group,n,rate,impact_ratio\na,100,0,1\nb,100,0,1\n").reading == "neither"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "group,n,rate,impact_ratio\n",
        "group,n,rate\na,1,0.5\n",
        "group,n,n,rate,impact_ratio\na,1,2,0.5,1\n",
        "group,n,rate,selection_rate,impact_ratio\na,1,0.5,0.6,1\n",
        "group,n,impact_ratio\na,1,0.5\n",
        "n,rate,impact_ratio\n1,0.5,1\n",
        "group,n,rate,impact_ratio\na,1,0.5\n",
        "group,n,rate,impact_ratio\na,1,half,1\n",
        "group,n,rate,impact_ratio\na,1,inf,1\n",
        "group,n,rate,impact_ratio\na,1,1e99999,1\n",
        'group,n,rate,impact_ratio\n"a,1,1,1\n',
    ],
)
def test_what_is_no_published_table_is_refused(text: str) -> None:
    with pytest.raises(InputRefused):
        read_published(text)
