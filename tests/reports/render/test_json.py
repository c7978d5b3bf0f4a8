"""The JSON report: the dossier's canonical bytes."""

from governance.canonical import canonical, read_json, sha256
from reports.dossier import Dossier
from reports.render.json import render_json
from tests.reports.build import compiled, with_names


def test_the_bytes_have_the_dossiers_digest_and_read_back_as_it() -> None:
    dossier = compiled()
    content = render_json(dossier)
    assert sha256(content) == dossier.value_digest()
    assert Dossier.model_validate(read_json(content)) == dossier
    assert canonical(read_json(content)) == content


def test_hostile_names_are_data() -> None:
    name = '</script>"\u202e\\'
    read = Dossier.model_validate(read_json(render_json(with_names(name))))
    assert read.identity.subject.name == name
