"""The picture as values: what every scenario of the lab makes of it, and that its text is harmless."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from rules.text.display import display
from tests.exporters import states
from tests.lab.live import sampled
from tests.rules import goldens

WHOLE = 1 << 20


def texts(value: object) -> Iterator[str]:
    """Every text inside a value."""
    if isinstance(value, str):
        yield str(value)
    elif isinstance(value, tuple):
        for item in value:
            yield from texts(item)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from texts(getattr(value, field.name))


def test_a_target_is_called_by_its_name_and_port() -> None:
    assert states.target("login.windows.net", 443).name == "login.windows.net:443"


@pytest.mark.parametrize(
    "value", [states.target(), states.address(), states.source(), states.state(), goldens.PLACE]
)
def test_values_stay_as_they_are(value: object) -> None:
    for field in dataclasses.fields(value):  # type: ignore[arg-type]  # all of them are values
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, field.name, None)


@sampled(goldens.NAMES)
def test_a_state_of_every_scenario(name: str) -> None:
    state = goldens.state(name)
    assert state.report is not None
    assert len({(t.rule, t.name) for t in state.targets}) == len(state.targets) > 10
    for target in state.targets:
        path = target.checks[1].check
        assert [c.check for c in target.checks] == ["dns", path]
        assert target.check in ("dns", path)
        assert (path == "tls") == (target.port != 80)
        assert all(c.measured or not c.success for c in target.checks), "inconclusive is no success"
        assert target.intercepted <= target.handshakes <= 3
    for source in state.sources:
        assert source.measured or not source.reachable
        assert source.reachable or not source.valid
    for text in texts((state.targets, state.sources)):  # a text of a peer cannot act on a terminal
        assert display(text, WHOLE) == text
