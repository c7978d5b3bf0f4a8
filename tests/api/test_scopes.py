"""What a narrowed key is told: nothing by name of what lies outside of its scopes, and that there is something."""

from typing import Any

import pytest

from governance.types.sight import Sight
from tests.api.test_access import scoped_routes
from tests.lineage.material import at, bodies, dataset, facet, run_event, run_id
from tests.support.scopes import MODELS, SCOPES, names_nothing, secret_of
from tests.support.service import Service, key_for
from tests.support.story import FAIR, ask, manifest, policy, publish, subject, submit, upload

FEATURES = {"namespace": "s3://lake", "name": "features"}


def test_a_graph_shows_what_is_hidden_without_a_name(told: Service, narrow: dict[str, str]) -> None:
    answer = told.http.get("/v1/lineage/graph", params=FEATURES, headers=narrow)
    whole = told.http.get("/v1/lineage/graph", params=FEATURES).json()
    found = answer.json()
    assert names_nothing(answer)
    assert (len(found["nodes"]), len(found["edges"])) == (len(whole["nodes"]), len(whole["edges"])) == (7, 6)
    hidden = [node for node in found["nodes"] if node.get("hidden")]
    assert [set(node) for node in hidden] == [{"index", "kind", "distance", "hidden"}] * 4
    assert {node["name"] for node in found["nodes"] if not node.get("hidden")} == {"features", "train", "credit-line/1"}
    shown = {node["index"] for node in found["nodes"] if not node.get("hidden")}
    for edge in found["edges"]:
        assert ("latest_run_id" in edge) == ({edge["from"], edge["to"]} <= shown)


def test_a_key_that_sees_everything_is_shown_everything(told: Service) -> None:
    assert "hidden" not in told.http.get("/v1/lineage/graph", params=FEATURES).text


def test_a_filter_tells_nothing_of_what_is_hidden(told: Service, narrow: dict[str, str]) -> None:
    for filtered in ({"tag": "secret"}, {"owner": "team:board"}, {"kind": "dataset", "type": "TABLE"}):
        answer = told.http.get("/v1/lineage/graph", params={**FEATURES, **filtered}, headers=narrow).json()
        assert not any(node.get("hidden") for node in answer["nodes"]), filtered


def alike(told: Service, narrow: dict[str, str], path: str, hidden: str, unknown: str, **parameters: str) -> None:
    """The same answer for a name that is hidden and for one that nobody uses, but for the name itself."""
    answers = []
    for name in (hidden, unknown):
        values = {key: value.replace("NAME", name) for key, value in parameters.items()}
        answer = told.http.get(path.replace("NAME", name), params=values, headers=narrow)
        answers.append((answer.status_code, answer.text.replace(name, "NAME")))
    assert answers[0] == answers[1]
    assert answers[0][0] == 404


def test_a_hidden_name_is_answered_like_an_unknown_one(told: Service, narrow: dict[str, str]) -> None:
    place = {"namespace": "s3://vault", "name": "NAME", "kind": "dataset"}
    alike(told, narrow, "/v1/lineage/graph", "salaries", "nothings", **place)
    alike(told, narrow, "/v1/lineage/runs/NAME", run_id(1), run_id(9))
    alike(told, narrow, "/v1/lineage/paths", "salaries", "nothings", **place, to_namespace="s3://lake",
          to_name="features", to_kind="dataset")  # fmt: skip


def test_runs_show_what_is_hidden_without_a_name(told: Service, narrow: dict[str, str]) -> None:
    answer = told.http.get(f"/v1/lineage/runs/{run_id(2)}", headers=narrow)
    assert names_nothing(answer)
    assert run_id(1) not in answer.text
    kinds = [(node["kind"], node.get("hidden", False)) for node in answer.json()["nodes"]]
    assert sorted(kinds) == [
        ("dataset_version", False), ("dataset_version", False), ("dataset_version", True), ("run", False), ("run", True)
    ]  # fmt: skip


def test_paths_lead_through_what_is_hidden_without_its_name(told: Service, narrow: dict[str, str]) -> None:
    events = [
        run_event("COMPLETE", 3, job="hr", run=run_id(4), inputs=["in"], outputs=[secret_of("payroll")]),
        run_event("COMPLETE", 4, job="hr", run=run_id(5), inputs=[secret_of("payroll")], outputs=["out"]),
    ]
    told.http.post("/api/v1/lineage/batch", content=b"[" + b",".join(bodies(*events)) + b"]")
    ends = {"namespace": "s3://lake", "name": "in", "kind": "dataset"}
    ends |= {"to_namespace": "s3://lake", "to_name": "out", "to_kind": "dataset"}
    answer = told.http.get("/v1/lineage/paths", params=ends, headers=narrow)
    assert answer.json()["paths"]
    assert names_nothing(answer)
    assert any(node.get("hidden") for node in answer.json()["nodes"])


@pytest.mark.parametrize("query", [{}, {"q": "salaries"}, {"tag": "secret"}, {"owner": "team:board"}, {"q": "e"}])
def test_search_and_its_total_know_only_what_is_seen(
    told: Service, narrow: dict[str, str], query: dict[str, str]
) -> None:
    answer = told.http.get("/v1/lineage/search", params={**query, "limit": "1000"}, headers=narrow)
    found = answer.json()
    assert names_nothing(answer)
    assert found["total_count"] == len(found["results"])
    assert (found["total_count"] == 3) == (query == {})


@pytest.mark.parametrize(
    "scope",
    [
        "s3://lake/*",
        "S3://LAKE/*",
        "*features",
        "s3://lake/f?atures",
        "s3://lake/[f]eatures",
        "s3://lake/%",
        "s3://l_ke/*",
        "*lake*",
        "s3:\\//lake/*",
        "s3://lake/features",
        "***",
        "??*",
    ],
)
def test_sql_and_values_agree_on_what_a_scope_holds(told: Service, scope: str) -> None:
    header = {"Authorization": f"Bearer {key_for(told.url, 'auditor', scopes=[scope])}"}
    results = told.http.get("/v1/lineage/search", params={"limit": "1000"}, headers=header).json()["results"]
    everything = told.http.get("/v1/lineage/search", params={"limit": "1000"}).json()["results"]
    by_value = {(r["namespace"], r["name"]) for r in everything if Sight((scope,)).sees(r["namespace"], r["name"])}
    assert {(r["namespace"], r["name"]) for r in results} == by_value


def test_the_gate_knows_no_model_outside_of_the_scopes(told: Service, narrow: dict[str, str]) -> None:
    publish(told, policy())
    theirs = subject("fraud")
    answer = told.post_json(
        "/v1/gate/evaluations", {"subject": theirs, "environment": "prod"}, **{"Idempotency-Key": "n1", **narrow}
    )
    assert (answer.status_code, answer.json()["pointer"]) == (404, "/subject")
    foreign = told.post_json("/v1/evidence", manifest(upload(told, b"row_id"), subject=theirs), **narrow)
    assert foreign.status_code == 404


def test_decisions_and_their_proofs_outside_of_the_scopes_are_not_found(told: Service, narrow: dict[str, str]) -> None:
    publish(told, policy())
    submit(told, FAIR)
    submit(told, FAIR, subject=subject("fraud"))
    mine, theirs = ask(told).json(), ask(told, key="k2", subject=subject("fraud")).json()
    for suffix in ("", "/bundle", "/tlog-proof"):
        seen = told.http.get(f"/v1/decisions/{mine['decision_id']}{suffix}", headers=narrow)
        assert (seen.status_code, "fraud" in seen.text) == (200, False)
        hidden = told.http.get(f"/v1/decisions/{theirs['decision_id']}{suffix}", headers=narrow)
        unknown = told.http.get(f"/v1/decisions/nothing{suffix}", headers=narrow)
        assert hidden.status_code == unknown.status_code == 404
        assert hidden.text.replace(theirs["decision_id"], "nothing") == unknown.text
    path = theirs["links"]["self"]
    assert told.http.get(path, headers=narrow).status_code == 404
    assert told.http.get(mine["links"]["self"], headers=narrow).status_code == 200
    report = f"/v1/decisions/{theirs['decision_id']}/reports/json"
    assert told.http.post(report, headers=narrow).status_code == 404


def test_a_report_is_given_to_whoever_sees_all_data_behind_the_model(told: Service, narrow: dict[str, str]) -> None:
    publish(told, policy())
    submit(told, FAIR)
    path = f"/v1/decisions/{ask(told).json()['decision_id']}/reports/json"
    refused = told.http.post(path, headers=narrow)
    assert (refused.status_code, refused.json()["code"]) == (403, "access.scope_not_supported")
    assert names_nothing(refused)
    wider = {"Authorization": f"Bearer {key_for(told.url, 'ci', scopes=[*SCOPES, 's3://*', 'batch/*'])}"}
    assert told.http.post(path, headers=wider).status_code == 200


def test_a_pack_is_given_to_whoever_sees_all_data_behind_the_model(told: Service, narrow: dict[str, str]) -> None:
    publish(told, policy())
    submit(told, FAIR)
    submit(told, FAIR, subject=subject("fraud"))
    path = f"/v1/decisions/{ask(told).json()['decision_id']}/pack"
    refused = told.http.get(path, headers=narrow)
    assert (refused.status_code, refused.json()["code"]) == (403, "access.scope_not_supported")
    assert names_nothing(refused)
    wider = {"Authorization": f"Bearer {key_for(told.url, 'ci', scopes=[*SCOPES, 's3://*', 'batch/*'])}"}
    assert told.http.get(path, headers=wider).status_code == 200
    theirs = ask(told, key="k2", subject=subject("fraud")).json()["decision_id"]
    assert told.http.get(f"/v1/decisions/{theirs}/pack", headers=narrow).status_code == 404


def test_bytes_are_given_where_evidence_of_a_model_that_is_seen_names_them(
    told: Service, narrow: dict[str, str]
) -> None:
    mine, theirs, loose = (upload(told, content) for content in (b"row_id\n1", b"row_id\n2", b"row_id\n3"))
    assert told.post_json("/v1/evidence", manifest(mine)).is_success
    assert told.post_json("/v1/evidence", manifest(theirs, subject=subject("fraud"))).is_success
    texts = set()
    for uri, status in ((mine, 200), (theirs, 404), (loose, 404), ("artifact:sha256:" + "0" * 64, 404)):
        name = uri.rpartition(":")[2]
        answer = told.http.get(f"/v1/artifacts/{name}", headers=narrow)
        assert answer.status_code == status
        texts |= {answer.text.replace(name, "")} if status == 404 else set()
    assert len(texts) == 1
    assert told.http.get(f"/v1/artifacts/{theirs.rpartition(':')[2]}").content == b"row_id\n2"


def test_evidence_of_a_hidden_model_is_not_found(told: Service, narrow: dict[str, str]) -> None:
    publish(told, policy())
    digest = submit(told, FAIR, subject=subject("fraud"))
    body = {"subject": subject(), "environment": "prod", "policy": "fair", "evidence": [{"digest": digest}]}
    hidden = told.post_json("/v1/gate/evaluations", body, **{"Idempotency-Key": "n1", **narrow})
    body["evidence"] = [{"digest": "sha256:" + "0" * 64}]
    unknown = told.post_json("/v1/gate/evaluations", body, **{"Idempotency-Key": "n2", **narrow})
    assert hidden.status_code == unknown.status_code == 404
    assert hidden.text.replace(digest, "") == unknown.text.replace("sha256:" + "0" * 64, "")


def test_no_list_names_a_model_outside_of_the_scopes(told: Service, narrow: dict[str, str]) -> None:
    """What is known of another model: it is registered, judged, allowed, and its decision is taken back."""
    publish(told, policy())
    theirs = subject("fraud", digest="sha256:" + "f0" * 32)
    owner = {"Authorization": f"Bearer {key_for(told.url, 'model_owner', subject='user:9')}"}
    registered = {**theirs, "objective": "finds fraud", "risk_tier": "high", "owners": ["user:9"], "jurisdictions": []}
    assert told.post_json("/v1/models", registered, **owner).is_success
    submit(told, FAIR, subject=theirs)
    decided = ask(told, subject=theirs).json()
    assert decided["verdict"] == "allow"
    approver = {"Authorization": f"Bearer {key_for(told.url, 'approver', subject='user:8')}"}
    taken_back = {"cause": "data_recalled", "reason": "fraud is unfair after all"}
    revoked = told.post_json(f"/v1/decisions/{decided['decision_id']}/revocations", taken_back, **approver)
    assert revoked.is_success, revoked.text
    whole = {"Authorization": f"Bearer {key_for(told.url, 'ci', 'model_owner')}"}
    lists = [path for method, path in scoped_routes() if method == "GET" and "{" not in path and "lineage" not in path]
    assert len(lists) > 3
    named = 0
    for path in lists:
        asked = {"digest": theirs["digest"]} if path == "/v1/attestations" else {}
        asked |= {"q": "fraud"} if "search" in path else {}
        seen, hidden = (told.http.get(path, headers=headers, params=asked) for headers in (whole, narrow))
        assert seen.status_code == 200, (path, seen.text)
        assert hidden.status_code == 200 or (path == "/v1/attestations" and hidden.status_code == 404), path
        assert "fraud" not in hidden.text, path
        named += "fraud" in seen.text
    assert named >= 3, "a key that sees everything is told of it"
    for path in (f"/v1/models/{theirs['digest']}", f"/v1/decisions/{decided['decision_id']}/grants"):
        answer = told.http.get(path, headers=narrow)
        assert (answer.status_code, "fraud" in answer.text) == (404, False), path


def serves(name: str, run: int, *models: str) -> dict[str, Any]:
    facets = {"assay_deployment": facet(environment="prod", revision=name, decisionId=f"decision-{run}")}
    inputs = [dataset(model, MODELS) for model in models]
    outputs = [dataset(f"endpoints/{name}", "k8s://cluster")]
    return run_event(
        "START", 4, job=f"serve-{name}", run=run_id(run), run_facets=facets, inputs=inputs, outputs=outputs
    )


@pytest.fixture
def serving(told: Service) -> Service:
    """Five deployments: of what the key sees, of what it does not, of both, of nothing, and again of what it sees."""
    events = [
        serves("mine", 20, "credit-line/1"),
        serves("theirs", 21, "fraud/1"),
        serves("both", 22, "credit-line/1", "fraud/1"),
        serves("nothing", 23),
        serves("again", 24, "credit-line/1", "credit-card/1"),
    ]
    answer = told.http.post("/api/v1/lineage/batch", content=b"[" + b",".join(bodies(*events)) + b"]")
    assert answer.json()["status"] == "success", answer.text
    return told


DEPLOYMENT_LISTS = ("/v1/deployments", "/v1/lineage/serving")


@pytest.mark.parametrize("path", DEPLOYMENT_LISTS)
def test_deployments_are_those_whose_models_are_all_seen(serving: Service, narrow: dict[str, str], path: str) -> None:
    answer = serving.http.get(path, headers=narrow)
    assert answer.status_code == 200, answer.text
    assert {found["revision"] for found in answer.json()["deployments"]} == {"mine", "again"}
    assert (names_nothing(answer), "fraud" in answer.text) == (True, False)
    whole = serving.http.get(path).json()["deployments"]
    assert {found["revision"] for found in whole} == {"mine", "theirs", "both", "nothing", "again"}
    then = serving.http.get(path, headers=narrow, params={"as_of": at(5)}).json()["deployments"]
    assert {found["revision"] for found in then} == {"mine", "again"}


@pytest.mark.parametrize("path", DEPLOYMENT_LISTS)
def test_pages_of_deployments_are_full_of_what_is_seen(serving: Service, narrow: dict[str, str], path: str) -> None:
    first = serving.http.get(path, headers=narrow, params={"limit": 1}).json()
    second = serving.http.get(path, headers=narrow, params={"limit": 1, "cursor": first["next_cursor"]}).json()
    shown = [found["revision"] for page in (first, second) for found in page["deployments"]]
    assert (sorted(shown), second["next_cursor"]) == (["again", "mine"], None)


def test_what_is_behind_a_deployment_is_named_where_it_is_seen_and_counted_where_not(
    serving: Service, narrow: dict[str, str]
) -> None:
    def behind(headers: dict[str, str]) -> tuple[list[str], list[str], int]:
        found = serving.http.get("/v1/deployments", headers=headers).json()["deployments"]
        (model,) = next(each for each in found if each["revision"] == "mine")["models"]
        training = [run["job"]["name"] for run in model["training"]]
        return [version["name"] for version in model["data"]], training, model["hidden"]

    assert behind({}) == (["features", "salaries"], ["train"], 0)
    assert behind(narrow) == (["features"], ["train"], 1)
    models_only = {"Authorization": f"Bearer {key_for(serving.url, 'ci', scopes=[f'{MODELS}/*'], name='models')}"}
    assert behind(models_only) == ([], [], 3)


def test_a_model_that_got_a_name_outside_of_the_scopes_is_not_shown_by_it(
    serving: Service, narrow: dict[str, str]
) -> None:
    names = [{"namespace": MODELS, "name": "credit-line/1", "type": "TABLE"}]
    renamed = dataset("fraud-line/1", MODELS, symlinks={"identifiers": names})
    event = run_event("COMPLETE", 9, job="rename", run=run_id(30), outputs=[renamed])
    assert serving.http.post("/api/v1/lineage", content=bodies(event)[0]).status_code == 201
    for path in DEPLOYMENT_LISTS:
        assert "fraud-line/1" in serving.http.get(path).text
        answer = serving.http.get(path, headers=narrow)
        assert (answer.status_code, answer.json()["deployments"]) == (200, [])


def test_policies_are_shown_to_whoever_may_read(told: Service, narrow: dict[str, str]) -> None:
    publish(told, policy())
    for path in ("", "/fair/versions", "/fair/versions/1", "/fair/publications"):
        seen, whole = (told.http.get(f"/v1/policies{path}", headers=headers) for headers in (narrow, {}))
        assert seen.status_code == 200, path
        assert seen.json() == whole.json(), path
