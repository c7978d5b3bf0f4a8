"""The bank's training job: prepares Adult, trains, reports its lineage, and writes what the gate will ask for.

Run by ``assay demo``: ``python train.py --data adult.parquet --out FOLDER --version 1 --approach plain``. The service's
address and key come from ``ASSAY_URL`` and ``ASSAY_KEY``; lineage goes there through the official OpenLineage client.
"""

import argparse
import hashlib
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import attr
import numpy as np
import polars as pl
import skops.io
import yaml
from fairlearn.reductions import DemographicParity, GridSearch
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    DatasetFacet,
    column_lineage_dataset,
    dataset_version_dataset,
    execution_parameters_run,
    job_type_job,
)
from openlineage.client.transport.http import ApiKeyTokenProvider, HttpCompression, HttpConfig, HttpTransport
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

PRODUCER = "https://bank.example/credit-line/trainer/1.0"
LAKE = "s3://bank-lake"
MODELS = "mlflow://models.bank.example"
SCHEDULER = "airflow://batch.bank.example"
NUMERIC = ["age", "education_num", "capital_gain", "capital_loss", "hours_per_week"]
CATEGORICAL = ["workclass", "marital_status", "occupation", "relationship"]
FEATURES = NUMERIC + CATEGORICAL
KEPT = ["row_id", *FEATURES, "sex", "race", "high_income"]
SEED = 20261124


def digest(path: Path) -> str:
    """``sha256:`` and the digest of a file."""
    return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()


def prepare(data: Path, out: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Seven tenths of the people to train on and three to judge with, written beside each other."""
    people = (
        pl.read_parquet(data)
        .with_row_index("row_id")
        .with_columns(
            pl.col("row_id").cast(pl.Int64),
            pl.col(CATEGORICAL).fill_null("not recorded"),
            (pl.col("income") == ">50K").cast(pl.Int64).alias("high_income"),
        )
    )
    order = np.random.default_rng(SEED).permutation(people.height)
    cut = people.height * 7 // 10
    parts = people[order[:cut].tolist()].select(KEPT), people[order[cut:].tolist()].select(KEPT)
    for name, part in zip(("train", "holdout"), parts, strict=True):
        part.write_parquet(out / f"{name}.parquet")
    return parts


def fit(train: pl.DataFrame, approach: str) -> Pipeline:
    """A logistic regression over scaled numbers and one-hot words; ``parity`` reweighs the sexes until they agree."""
    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), NUMERIC),
            ("words", OneHotEncoder(handle_unknown="ignore", sparse_output=False), CATEGORICAL),
        ]
    )
    features, label = columns.fit_transform(train.select(FEATURES).to_pandas()), train["high_income"].to_numpy()
    plain = LogisticRegression(max_iter=1000)
    if approach == "plain":
        return Pipeline([("columns", columns), ("model", plain.fit(features, label))])
    search = GridSearch(plain, constraints=DemographicParity(), grid_size=21)
    search.fit(features, label, sensitive_features=train["sex"].to_numpy())
    # The search keeps one plain logistic regression per grid point; the best of them needs nobody's sex to predict.
    return Pipeline([("columns", columns), ("model", search.predictors_[search.best_idx_])])


def predict(model: Pipeline, people: pl.DataFrame) -> pl.DataFrame:
    """Score and decision for each person, by row id."""
    scores = model.predict_proba(people.select(FEATURES).to_pandas())[:, list(model.classes_).index(1)]
    return pl.DataFrame({"row_id": people["row_id"], "score": scores, "approved": (scores >= 0.5).astype(np.int64)})


def facet(name: str, fields: Mapping[str, Any]) -> DatasetFacet:
    """One of the service's own facets as the client sends it."""
    made = attr.make_class(f"Assay{name}DatasetFacet", sorted(fields), bases=(DatasetFacet,), kw_only=True)
    # The client asks each class of facet for its schema through this hook.
    made._get_schema = staticmethod(  # noqa: SLF001 - see above
        lambda: f"{os.environ['ASSAY_URL']}/spec/facets/1-0-0/Assay{name}DatasetFacet.json"
    )
    value: DatasetFacet = made(**fields)
    return value


def version_of(path: Path) -> dict[str, DatasetFacet]:
    """The facet that binds a dataset to its bytes."""
    return {"version": dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=digest(path))}


def columns_from(source: str, pairs: Mapping[str, list[str]]) -> dict[str, DatasetFacet]:
    """The facet that says which columns of ``source`` each field was made from."""
    made = column_lineage_dataset
    return {
        "columnLineage": made.ColumnLineageDatasetFacet(
            fields={
                field: made.Fields(
                    inputFields=[made.InputField(namespace=LAKE, name=source, field=name) for name in names]
                )
                for field, names in pairs.items()
            }
        )
    }


class Reporter:
    """Sends one START and one COMPLETE event a run."""

    def __init__(self) -> None:
        """Connect to the service that the environment names."""
        token = ApiKeyTokenProvider({"apiKey": os.environ["ASSAY_KEY"]})
        config = HttpConfig(url=os.environ["ASSAY_URL"], auth=token, compression=HttpCompression.GZIP)
        self._client = OpenLineageClient(transport=HttpTransport(config))

    def start(self, name: str, kind: str, inputs: list[InputDataset], parameters: Mapping[str, str]) -> RunEvent:
        """Say that a run began, with what it reads."""
        job_type = job_type_job.JobTypeJobFacet(processingType="BATCH", integration="AIRFLOW", jobType=kind)
        listed = [execution_parameters_run.ExecutionParameter(key=k, value=v) for k, v in parameters.items()]
        event = RunEvent(
            eventType=RunState.START,
            eventTime=datetime.now(UTC).isoformat(),
            run=Run(
                runId=str(uuid4()),
                facets={"executionParameters": execution_parameters_run.ExecutionParametersRunFacet(parameters=listed)},
            ),
            job=Job(namespace=SCHEDULER, name=name, facets={"jobType": job_type}),
            inputs=inputs,
            outputs=[],
            producer=PRODUCER,
        )
        self._client.emit(event)
        return event

    def complete(self, started: RunEvent, outputs: list[OutputDataset]) -> None:
        """Say that the run ended well, with what it wrote."""
        ended = attr.evolve(
            started, eventType=RunState.COMPLETE, eventTime=datetime.now(UTC).isoformat(), outputs=outputs
        )
        self._client.emit(ended)


def manifest(version: str, out: Path) -> dict[str, Any]:
    """What the gate is to measure, and what each column means."""
    words = {"lawful_basis": "A6-1-f"}
    return {
        "kind": "assay.evidence/v1",
        "subject": {
            "namespace": MODELS,
            "name": "credit-line",
            "version": version,
            "digest": digest(out / "model.skops"),
        },
        "dataset": {
            "namespace": LAKE,
            "name": "adult/holdout",
            "digest": digest(out / "holdout.parquet"),
            "file": {"uri": "file:holdout.parquet", "format": "parquet"},
        },
        "predictions": {"uri": "file:predictions.parquet", "format": "parquet", "join_on": "row_id"},
        "model": {"uri": "file:model.skops", "format": "skops"},
        "columns": {
            "row_id": "row_id", "label": "high_income", "decision": "approved", "score": "score", "features": FEATURES,
        },
        "positive": {"label": 1, "decision": 1},
        "negative": {"label": 0, "decision": 0},
        "sensitive": {"sex": {"groups": ["Female", "Male"]}, "race": {}},
        "features": {
            name: {"meaning": name.replace("_", " "), "source": f"{LAKE}/adult#{name}", **words} for name in FEATURES
        },
        "seed": SEED,
    }  # fmt: skip


def main() -> None:
    """Play the job."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--provenance", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--approach", choices=("plain", "parity"), required=True)
    wanted = parser.parse_args()
    out: Path = wanted.out
    out.mkdir(parents=True, exist_ok=True)
    reporter = Reporter()

    provenance = facet("Provenance", yaml.safe_load(wanted.provenance.read_text()))
    source = InputDataset(LAKE, "adult", facets={**version_of(wanted.data), "assay_provenance": provenance})
    split = reporter.start("credit_line.split", "TASK", [source], {"seed": str(SEED)})
    train, holdout = prepare(wanted.data, out)
    same = {name: [name] for name in KEPT if name not in ("row_id", "high_income")} | {"high_income": ["income"]}
    written = [
        OutputDataset(
            LAKE, f"adult/{part}", facets={**version_of(out / f"{part}.parquet"), **columns_from("adult", same)}
        )
        for part in ("train", "holdout")
    ]
    reporter.complete(split, written)

    parameters = {"approach": wanted.approach, "max_iter": "1000", "seed": str(SEED)}
    read = InputDataset(LAKE, "adult/train", facets=version_of(out / "train.parquet"))
    training = reporter.start("credit_line.train", "TRAINING", [read], parameters)
    model = fit(train, wanted.approach)
    skops.io.dump(model, out / "model.skops")
    used = {name: [name] for name in FEATURES} | {"prediction": ["high_income"]}
    described = {
        "contentDigest": digest(out / "model.skops"),
        "framework": "scikit-learn",
        "intendedUse": "offer a credit line",
        "riskTier": "high",
        "purposes": ["decision.credit"],
    }
    name = f"credit-line/{wanted.version}"
    facets = {
        **version_of(out / "model.skops"),
        **columns_from("adult/train", used),
        "assay_model": facet("Model", described),
    }
    reporter.complete(training, [OutputDataset(MODELS, name, facets=facets)])

    predict(model, holdout).write_parquet(out / "predictions.parquet")
    (out / "manifest.yaml").write_text(yaml.safe_dump(manifest(wanted.version, out), sort_keys=False))


if __name__ == "__main__":
    main()
