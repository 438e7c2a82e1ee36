"""Our side as a process of its own: `python -m tests.bench.prober asyncio DIRECTORY`.

It takes one JSON command a line ({"kind": "tls", "targets": [[address, hello], ...]} or {"kind": "dns", "names": [...]}),
carries it out with the program's own `Prober`, guards and deadlines included, judges every chain down to its cause, and
answers with one line. Whoever started it reads its CPU clock before and after.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

from probe.config.settings import load_rules
from probe.measure.kinds import trust_store
from probe.measure.prober import Prober
from probe.measure.trust_stores import TrustStores
from rules.audit.chains import Chains
from rules.model.kinds.dns_chain import OS, Chain, DnsAnswer, DnsQuestion, Outcome, follow_chain
from rules.model.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.model.kinds.trust_store import TrustLookup, TrustRoots
from rules.model.observation import Observation
from rules.model.ruleset import CaSet, Expect, Group
from rules.pki.handshake import judge_leaf, tls_cause
from tests.bench.namespace import RESOLVER
from tests.bench.population import ANY_NAME


class Side:
    """What stays between commands, as in an audit: the prober, the stores, the chains that are known."""

    def __init__(self, directory: Path, cas: tuple[CaSet, ...]) -> None:
        self._stores = TrustStores(directory / "roots.pem", directory / "roots.pem")
        self._prober = Prober(stores=self._stores)
        self._chains = Chains(cas)

    async def tls(self, targets: list[tuple[str, str]], in_flight: int) -> Counter[str]:
        """Shake hands with each and judge; how often each cause was found."""
        causes: Counter[str] = Counter()
        steps = iter([TlsHandshake(a, 443, ANY_NAME, h) for a, h in targets])  # type: ignore[arg-type]  # from JSON

        async def work(mine: Iterator[TlsHandshake]) -> None:
            for step in mine:
                causes[await self._cause(await self._prober.measure(step))] += 1

        await asyncio.gather(*(work(steps) for _ in range(in_flight)))
        return causes

    async def _cause(self, seen: Observation) -> str:
        if seen.failure is not None or not isinstance(seen.evidence, TlsFacts):
            return f"failed: {seen.failure}"
        chain = seen.evidence.chain
        wants = self._chains.add(chain)
        while wants.lookups:
            (subject, *_) = wants.lookups
            found = await trust_store.measure(TrustLookup(subject), self._stores)
            assert isinstance(found.evidence, TrustRoots)
            wants = self._chains.looked_up(subject, found.evidence)
        judgement = self._chains.judge(chain, seen.started)
        faults = judge_leaf(chain, ANY_NAME, seen.started)
        return tls_cause(judgement, faults, Expect.EXPECTED_CA, Group.SERVICE).cause.word

    async def dns(self, names: list[str], in_flight: int) -> Counter[str]:
        """Ask for the address of each and assemble its chain; how often each outcome was found."""
        outcomes: Counter[str] = Counter()
        questions = iter([DnsQuestion(RESOLVER, name, "A") for name in names])

        async def work(mine: Iterator[DnsQuestion]) -> None:
            for question in mine:
                outcomes[_outcome(question, await self._prober.measure(question))] += 1

        await asyncio.gather(*(work(questions) for _ in range(in_flight)))
        return outcomes


def _outcome(question: DnsQuestion, seen: Observation) -> str:
    answer = seen.evidence if isinstance(seen.evidence, DnsAnswer) else None
    known = {question: (answer, seen.failure)}
    chain: Chain = follow_chain(question.resolver or OS, question.name, question.rtype, known.get)
    done = chain.outcome is Outcome.RESOLVED and chain.ask is None
    return "ok" if done else f"{chain.outcome}: {chain.detail or seen.failure}"


def main(directory: Path) -> None:
    """Carry out commands until standard input ends."""
    with asyncio.Runner() as runner:
        side = Side(directory, load_rules((), (str(directory / "cas.toml"),)).cas)
        sys.stdout.write("ready\n")
        for line in sys.stdin:
            sys.stdout.flush()
            command: dict[str, Any] = json.loads(line)
            work: Coroutine[Any, Any, Counter[str]]
            if command["kind"] == "tls":
                work = side.tls([tuple(t) for t in command["targets"]], command["in_flight"])
            else:
                work = side.dns(command["names"], command["in_flight"])
            sys.stdout.write(json.dumps(runner.run(work)) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[2]))  # the first names the event loop, which older checkouts ask for
