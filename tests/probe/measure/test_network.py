"""The seam: what implements it, and what its error says."""

from __future__ import annotations

import inspect

from probe.measure.direct_network import HostNetwork
from probe.measure.network import Datagrams, Network, NetworkError, Stream
from rules.model.failure import Code, Failure, Stage


def members(protocol: type) -> set[str]:
    return {name for name in vars(protocol) if not name.startswith("_")}


def test_the_host_network_is_a_network() -> None:
    network: Network = HostNetwork()  # the type checker's test
    assert members(Network) <= set(dir(network))
    for name in members(Network):
        assert inspect.iscoroutinefunction(getattr(network, name))


def test_streams_and_datagrams_differ_only_in_how_much_they_tell() -> None:
    assert members(Datagrams) < members(Stream)


def test_the_error_carries_the_failure_and_reads_as_a_sentence() -> None:
    failure = Failure(Stage.TCP, Code.REFUSED, "ECONNREFUSED")
    error = NetworkError(failure, ("192.0.2.1", 50000))
    assert error.failure is failure
    assert error.local == ("192.0.2.1", 50000)
    assert str(error) == "tcp: refused ECONNREFUSED"
    assert str(NetworkError(Failure(Stage.TCP, Code.TIMEOUT))) == "tcp: timeout"
