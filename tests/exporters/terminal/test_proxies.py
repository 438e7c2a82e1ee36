"""The line about proxies: each source as it says it, and by which the programs go."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporters.terminal.proxies import proxy_words
from rules.model.kinds.local_host import ProxySetting
from tests.rules.script import HOST, healthy, judged

SHELL = ProxySetting("environment HTTPS_PROXY", "http://proxy:8080")
OWN = ProxySetting("connector exe.config", "http://own:1")


@pytest.mark.parametrize(
    ("proxies", "words"),
    [
        ((), "none is set on this host"),
        ((SHELL,), "http://proxy:8080 (environment HTTPS_PROXY); not used by this audit"),
        (
            (OWN,),
            "http://own:1 (connector exe.config). The connector goes by connector exe.config, certificate checks by "
            "WinHTTP, where none is set; not used by this audit",
        ),
        (
            (ProxySetting("WinHTTP", "w:1"), replace(OWN, address="", automatic="WPAD")),
            "w:1 (WinHTTP); automatic: WPAD (connector exe.config). The connector goes by connector exe.config, "
            "certificate checks by WinHTTP; not used by this audit",
        ),
        (
            (replace(OWN, address=""),),
            "no proxy (connector exe.config). The connector goes by connector exe.config, certificate checks by WinHTTP, "
            "where none is set; not used by this audit",
        ),
    ],
)
def test_the_line(proxies: tuple[ProxySetting, ...], words: str) -> None:
    assert proxy_words(judged(healthy(facts=replace(HOST, proxies=proxies)))) == words


def test_what_cannot_be_used_is_told() -> None:
    broken = replace(OWN, bypass="(?=x)", faults=("proxyaddress is p, it must begin with http://",))
    words = proxy_words(judged(healthy(facts=replace(HOST, proxies=(broken,)))))
    assert "must begin with http://" in words
    assert "(?=x)" in words
