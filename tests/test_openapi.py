"""Random requests made from the OpenAPI description: whatever comes, no 5xx, and what was promised."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from indexing.fetch import FetchRules
from service.access import NEEDED
from tests.serving import Served, quick

EXAMPLES = 6
"""Requests a route: enough to meet each field once with nonsense; `EXAMPLES = 300` is for an evening."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service with keys and a document, whose client is an administrator."""
    with pytest.MonkeyPatch.context() as patch:
        # An address that is made up is tried again and again.
        patch.setattr("service.app.FetchRules", partial(FetchRules, pause=0.0))
        with quick(tmp_path_factory.mktemp("home")) as service:
            _, secret = service.application.keys.add("tester", "admin")
            service.client.headers["authorization"] = f"Bearer {secret}"
            yield service


@pytest.fixture(scope="module")
def schema(served: Served) -> Any:
    return schemathesis.openapi.from_dict(served.client.get("/openapi.json").json())


@pytest.mark.parametrize("route", [*sorted(NEEDED), "GET /healthz", "GET /readyz"])
def test_whatever_comes_is_answered_as_described(served: Served, schema: Any, route: str) -> None:
    method, path = route.split()

    @given(schema[path][method].as_strategy())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    def answered(case: Case) -> None:
        headers = {"authorization": served.client.headers["authorization"]}
        reply = case.call(base_url=served.url, headers=headers)
        if reply.status_code >= 500:  # a source's address that is made up cannot be reached
            assert reply.json()["error"]["code"] == "fetch_failed", reply.text
        case.validate_response(reply, checks=[status_code_conformance, response_schema_conformance])

    answered()
