"""The check ``gdpr``: data-protection rules over the lineage of a model version."""

from governance.check import Check, Reference
from policies.gdpr.judge import NOT_CHECKED, judge
from policies.gdpr.measure import VERSION, measure
from policies.gdpr.params import GDPRParams

CHECK: Check[GDPRParams] = Check(
    id="gdpr",
    version=VERSION,
    title="Data protection along the lineage",
    params=GDPRParams,
    measure=measure,
    judge=judge,
    place="inline",
    references=(
        Reference(
            title="Regulation (EU) 2016/679 (GDPR), Articles 5, 6, 9, 10 and 14",
            url="https://eur-lex.europa.eu/eli/reg/2016/679/oj",
            date="2016-04-27",
        ),
        Reference(
            title="Regulation (EU) 2024/1689 (AI Act), Article 10",
            url="https://eur-lex.europa.eu/eli/reg/2024/1689/oj",
            date="2024-06-13",
        ),
    ),
    not_checked=NOT_CHECKED,
)
