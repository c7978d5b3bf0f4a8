"""A DAG as a team would write it: assets in and out, an operator that tells its own lineage, and a check that fails."""

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow.providers.openlineage.extractors import OperatorLineage
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, Asset, BaseOperator
from openlineage.client.event_v2 import Dataset
from openlineage.client.facet_v2 import column_lineage_dataset, schema_dataset

FOLDER = Path(os.environ["CLAIMS_FOLDER"])


def asset(name: str) -> Any:
    """A file of the claims, as Airflow names it."""
    return Asset((FOLDER / name).as_uri())


def clean() -> None:
    """Rows in small letters."""
    (FOLDER / "clean.csv").write_text((FOLDER / "raw.csv").read_text().lower())


def check() -> None:
    """The scores are never good enough."""
    raise ValueError("a score is missing")


class ScoreOperator(BaseOperator):  # type: ignore[misc]  # Airflow is not installed beside
    """An operator of the team's own, which says itself which columns it reads and writes."""

    def execute(self, context: Any) -> None:  # noqa: ARG002 - as Airflow calls it
        """One score a row."""
        rows = (FOLDER / "clean.csv").read_text().splitlines()
        (FOLDER / "scores.csv").write_text("\n".join(f"{row},1" for row in rows))

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:  # noqa: ARG002 - as it is called
        """What Airflow's provider asks an operator for."""
        source = Dataset(namespace="file", name=str(FOLDER / "clean.csv"))
        masked = column_lineage_dataset.Transformation(type="DIRECT", subtype="TRANSFORMATION", masking=True)
        customer = column_lineage_dataset.InputField(source.namespace, source.name, "customer", [masked])
        amount = column_lineage_dataset.InputField(source.namespace, source.name, "amount")
        fields = {
            "customer_hash": column_lineage_dataset.Fields(inputFields=[customer]),
            "score": column_lineage_dataset.Fields(inputFields=[amount]),
        }
        columns = [schema_dataset.SchemaDatasetFacetFields(name=name, type="text") for name in fields]
        facets = {
            "schema": schema_dataset.SchemaDatasetFacet(fields=columns),
            "columnLineage": column_lineage_dataset.ColumnLineageDatasetFacet(fields=fields),
        }
        target = Dataset(namespace="file", name=str(FOLDER / "scores.csv"), facets=facets)
        return OperatorLineage(inputs=[source], outputs=[target])


with DAG(
    "claims",
    schedule=None,
    start_date=datetime(2026, 1, 1),  # noqa: DTZ001 - Airflow reads it in its own zone, as it reads every DAG
    description="Claims, scored each night.",
    default_args={"owner": "claims-team"},
    tags=["nightly"],
) as dag:
    cleaned = PythonOperator(
        task_id="clean", python_callable=clean, inlets=[asset("raw.csv")], outlets=[asset("clean.csv")]
    )
    scored = ScoreOperator(task_id="score")
    checked = PythonOperator(task_id="check", python_callable=check, inlets=[asset("scores.csv")])
    reported = PythonOperator(task_id="report", python_callable=clean, inlets=[asset("scores.csv")])
    cleaned >> scored >> checked >> reported

if __name__ == "__main__":
    dag.test()
