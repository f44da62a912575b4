"""Clients that post to an application, and read the id in its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from time import sleep
from typing import TYPE_CHECKING, Any

from idstorm.errors import ScenarioError
from idstorm.scenario import Place, Refused
from idstorm.scenario.clients import Clients

if TYPE_CHECKING:
    import httpx

_ANSWER_WITHIN = 30.0  # seconds
_PAUSE = 0.05  # seconds: a dead server refuses faster than a live one answers
_SHOWN = 200  # characters of an answer

Body = Callable[[int], Mapping[str, Any]]


def posting(
    path: str,
    *,
    id: str = "id",  # noqa: A002 (the word that a scenario has for it)
    body: Body | None = None,
    constraint: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Clients:
    """Return clients of which each posts a JSON object for each row, and takes the id from the answer.

    `id` leads to it: names and places in lists, separated by dots, as in ``order.id`` or ``orders.0.id``. `body` makes
    the object for a token; by default it is ``{"token": token}``. An answer of 400 to 499 means that certainly nothing
    was done; `constraint` leads to the name of what refused the row, which is empty where nothing did, and null where
    that is not known. After any other answer, or none, what was done is unknown.
    """

    @contextmanager
    def client(_: Place, environment: Mapping[str, Any]) -> Iterator[_Poster]:
        import httpx  # only where it is needed

        with httpx.Client(
            base_url=environment["url"], headers=headers, timeout=_ANSWER_WITHIN, trust_env=False
        ) as http:
            yield _Poster(http, path, id, body or _token_alone, constraint)

    return client


class _Poster:
    def __init__(self, http: httpx.Client, path: str, id_: str, body: Body, constraint: str | None) -> None:
        self._http, self._path, self._id, self._body, self._constraint = http, path, id_, body, constraint

    def insert(self, tokens: Sequence[int]) -> list[Any]:
        """Post each row by itself. Of several, one that is refused leaves the others alone."""
        if len(tokens) == 1:
            return [self._post(tokens[0])]
        return [self._post_if_allowed(token) for token in tokens]

    def _post_if_allowed(self, token: int) -> Any:
        with suppress(Refused):
            return self._post(token)
        return None

    def _post(self, token: int) -> Any:
        import httpx

        try:
            answer = self._http.post(self._path, json=self._body(token))
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            sleep(_PAUSE)
            raise Refused("no connection to the application", constraint="") from error
        if answer.is_client_error:
            refused_by = None if self._constraint is None else _found(answer, self._constraint)
            raise Refused(f"HTTP {answer.status_code} {answer.text[:_SHOWN]}", constraint=refused_by)
        answer.raise_for_status()
        return _found(answer, self._id)


def _token_alone(token: int) -> Mapping[str, Any]:
    return {"token": token}


def _found(answer: httpx.Response, path: str) -> Any:
    """Return what a path leads to in an answer. Raises ScenarioError where it leads nowhere."""
    try:
        value = answer.json()
        for step in path.split("."):
            value = value[int(step)] if isinstance(value, list) else value[step]
    except (ValueError, LookupError, TypeError) as error:
        raise ScenarioError(
            f"the application answered {answer.text[:_SHOWN]!r}, which has no {path}: say where it is, posting(…)"
        ) from error
    return value
