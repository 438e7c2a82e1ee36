"""A report by itself as a state, and as the text that `--format prometheus` gives."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporters.metrics.exposition import from_state
from probe.audit.state import place_of, state_of
from probe.config.service import ServeConfig
from probe.config.settings import Config, load_config, load_rules
from rules.model.ruleset import Rules
from rules.watch.state import Place, State
from tests.lab import audit_files
from tests.lab.live import sampled
from tests.lab.plan import Plan
from tests.rules import goldens


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Rules:
    directory = tmp_path_factory.mktemp("one-shot")
    audit_files.write(directory, Plan())
    config = load_config(str(directory / "wayclear.toml"))
    return load_rules(config.rules, config.ca_sets)


def state(name: str, rules: Rules) -> State:
    return state_of(goldens.golden(name), rules, Place("c1"))


def value(text: str, name: str, **labels: str) -> set[float]:
    return {
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    }


def test_a_healthy_network(rules: Rules) -> None:
    text = from_state(state("healthy", rules))
    assert value(text, "wayclear_connector_can_live", connector="c1") == {1.0}
    assert value(text, "wayclear_check_success") == {1.0}
    assert value(text, "wayclear_check_measured") == {1.0}
    assert value(text, "wayclear_target_addresses", state="failed") == {0.0}
    assert value(text, "wayclear_interception_ratio") == {0.0}


def test_an_intercepted_one(rules: Rules) -> None:
    text = from_state(state("intercepted-by-squid", rules))
    assert value(text, "wayclear_connector_can_live") == {0.0}
    assert value(text, "wayclear_check_success", rule_group="service", check="tls") == {0.0}
    assert value(text, "wayclear_check_measured", rule_group="service", check="tls") == {1.0}
    assert value(text, "wayclear_target_info", rule_group="service", cause="tls.intercepted") == {1.0}
    assert max(value(text, "wayclear_interception_ratio", rule_group="service")) == 1.0


def test_a_host_without_a_resolver_is_a_fault_of_the_host_and_nothing_is_measured(rules: Rules) -> None:
    text = from_state(state("resolver-dead", rules))
    assert value(text, "wayclear_connector_host_fault") == {1.0}
    assert value(text, "wayclear_connector_not_proven") == {1.0}
    assert value(text, "wayclear_check_measured") == {0.0}


@pytest.mark.parametrize(
    ("connector", "host", "name"),
    [("c1", "h", "c1"), ("", "h", "h"), ("", "", "connector"), ("", "\u202eh", "\\u202eh")],
)
def test_the_connector_is_called_as_configured_or_as_the_host(connector: str, host: str, name: str) -> None:
    config = Config(serve=ServeConfig(connector=connector, site="Dublin"))
    assert place_of(config, host) == Place(name, site="Dublin")


@sampled(goldens.NAMES)
def test_every_golden_has_a_picture(rules: Rules, name: str) -> None:
    assert from_state(state(name, rules)).endswith("\n")
