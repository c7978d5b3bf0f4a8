"""The transports of openlineage-python, configured as it is configured, and what became of an event that one was given.

The target is the operator's choice, named in the settings; nothing that came in by an event or request leads here.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from governance.errors import UsageError

if TYPE_CHECKING:
    from openlineage.client.event_v2 import DatasetEvent, JobEvent, RunEvent
    from openlineage.client.transport import Transport

ENVIRONMENT = "environment"
"""The setting's word for openlineage-python's own way: its environment variables and its usual files."""

EVENT_REFUSED = frozenset({400, 413, 422})
"""Answers that are about the event itself. Any other may change without it: a key is mended, a server comes back."""

_NEVER_SURE = frozenset({"async_http", "noop"})
"""Transports that do not say whether an event arrived."""


class Undelivered(Exception):
    """The event did not arrive this time."""


class Refusal(Undelivered):
    """The consumer will not take this event, however often it is sent."""


class Sender(Protocol):
    """Something that delivers an event."""

    def send(self, body: bytes) -> None:
        """Return when the event has arrived.

        Raises:
            Undelivered: it has not. Refusal: it never will.
        """
        ...


class ClientSender:
    """Delivers by a transport of openlineage-python."""

    def __init__(self, transport: "Transport") -> None:
        """Send by ``transport``."""
        self._transport = transport

    def send(self, body: bytes) -> None:
        """Hand the event to the transport, which returns when it has arrived."""
        from requests import HTTPError, RequestException

        try:
            self._transport.emit(client_event(body))
        except HTTPError as fault:
            status = 0 if fault.response is None else fault.response.status_code
            kind = Refusal if status in EVENT_REFUSED else Undelivered
            raise kind(f"the consumer answered {status}") from fault
        except (RequestException, OSError, RuntimeError, ValueError) as fault:
            # The fault's text may hold an address with a password: its kind has to do.
            raise Undelivered(f"{self._transport.kind}: {type(fault).__name__}") from fault


def open_sender(forward_to: str) -> ClientSender:
    """The sender that the setting asks for: a configuration file's, or that of openlineage-python's environment.

    Raises:
        UsageError: the file or what it configures cannot be used, or the transport would not say what it lost.
    """
    try:
        transport = _of_environment() if forward_to == ENVIRONMENT else _of_file(Path(forward_to))
    except (RuntimeError, ValueError, TypeError, KeyError, ImportError) as fault:
        raise _unusable(forward_to, f"{type(fault).__name__}: {fault}"[:200]) from fault
    if transport.kind in _NEVER_SURE:
        raise _unusable(forward_to, f"the transport {transport.kind}, which does not say whether an event arrived")
    return ClientSender(transport)


def _unusable(forward_to: str, found: str) -> UsageError:
    return UsageError(
        expected=f"a transport of openlineage-python that can be used, from ASSAY_LINEAGE__FORWARD_TO={forward_to}",
        found=found,
        remedy="Configure it as openlineage-python documents it, for instance `transport: {type: http, url: ...}`.",
    )


def _of_file(path: Path) -> "Transport":
    import yaml
    from openlineage.client.transport import get_default_factory

    try:
        document = yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError) as fault:
        raise _unusable(str(path), f"{type(fault).__name__} when it was read") from fault
    transport = document.get("transport") if isinstance(document, dict) else None
    if not isinstance(transport, dict) or "type" not in transport:
        raise _unusable(str(path), "no `transport` with a `type`")
    return get_default_factory().create(dict(transport))


def _of_environment() -> "Transport":
    import os

    from openlineage.client import OpenLineageClient

    client = OpenLineageClient()
    # Without a type it prints to the console, and what was meant for a consumer would count as delivered.
    if not (client.config.transport or {}).get("type") and not os.environ.get("OPENLINEAGE_URL"):
        raise _unusable(ENVIRONMENT, "neither its variables nor a file")
    return client.transport


def client_event(body: bytes) -> "RunEvent | JobEvent | DatasetEvent":
    """The event as openlineage-python's class, facets as they are; its ``Serde`` gives back what Assay stored."""
    from openlineage.client.event_v2 import DatasetEvent, Job, JobEvent, Run, RunEvent, RunState, StaticDataset

    document: dict[str, Any] = json.loads(body)
    framed: dict[str, Any] = {"eventTime": document["eventTime"], "producer": document["producer"]}
    if "dataset" in document:
        return DatasetEvent(**framed, dataset=StaticDataset(**document["dataset"]))
    framed |= {"job": Job(**document["job"])}
    framed |= {side: _mentions(document, side) for side in ("inputs", "outputs")}
    if "run" not in document:
        return JobEvent(**framed)
    return RunEvent(**framed, eventType=RunState(document["eventType"]), run=Run(**document["run"]))


def _mentions(document: Mapping[str, Any], side: str) -> list[Any]:
    from openlineage.client.event_v2 import InputDataset, OutputDataset

    kind = InputDataset if side == "inputs" else OutputDataset
    return [kind(**mention) for mention in document.get(side, [])]
