"""The forms of CI systems over HTTP: the same answer, by the links in it."""

import json

from junitparser import JUnitXml

from tests.support.service import Service, key_for
from tests.support.story import UNFAIR, ask, policy, publish, submit


def test_an_answer_links_to_its_forms_and_each_says_what_it_says(service: Service) -> None:
    publish(service, policy())
    submit(service, UNFAIR)
    answer = ask(service).json()
    links = answer["links"]
    forms = {name: service.http.get(links[name]) for name in ("junit", "sarif", "markdown")}
    assert {form.status_code for form in forms.values()} == {200}
    suite = next(iter(JUnitXml.fromstring(forms["junit"].content)))
    assert [(case.name, bool(case.result)) for case in suite] == [("verdict", True), ("fairness", True)]
    rules = [result["ruleId"] for result in json.loads(forms["sarif"].content)["runs"][0]["results"]]
    assert rules == ["gate.deny", answer["checks"][0]["reason"]]
    assert "deny" in forms["markdown"].text
    assert forms["junit"].headers["content-type"] == "application/xml"
    assert forms["sarif"].headers["content-type"] == "application/sarif+json"
    assert forms["markdown"].headers["content-type"] == "text/markdown; charset=utf-8"


def test_what_is_not_there_and_what_is_not_yours_answers_alike(service: Service) -> None:
    publish(service, policy())
    links = ask(service).json()["links"]
    narrow = {"Authorization": f"Bearer {key_for(service.url, 'auditor', scopes=('other/*',))}"}
    for name in ("junit", "sarif", "markdown"):
        assert service.http.get(f"/v1/gate/evaluations/none/{name}").status_code == 404
        assert service.http.get(links[name], headers=narrow).status_code == 404
