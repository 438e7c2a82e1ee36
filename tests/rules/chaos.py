"""Networks at random: any step may meet anything, the same thing each time it is asked."""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

from rules.model.failure import Code, Failure, Icmp, Stage
from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion, Record
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.kinds.os_lookup import OsAnswer, OsLookup
from rules.model.kinds.tcp_connect import TcpConnect, TcpFacts
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.kinds.trust_store import TrustLookup, TrustRoots
from rules.model.observation import Observation, Step
from tests.rules.script import (
    BLOCKED,
    BOOTSTRAP,
    CORPORATE,
    CUT,
    ISSUING,
    NO_ANSWER,
    NOBODY,
    PUBLIC,
    REFUSED,
    SILENCE,
    START,
    Answer,
    World,
    by,
    crl,
    healthy,
    leaf,
    page,
    shown,
)

ODD_ADDRESSES = ("10.1.2.3", "127.0.0.1", "0.0.0.0", "169.254.169.254", "100.64.0.9", "224.0.0.1", "198.51.100.5",
                 "240.0.0.1", "203.0.113.99", "2001:db8::9", "::1", "fe80::1", "::ffff:127.0.0.1")  # fmt: skip
LOCAL = tuple(
    Failure(Stage.LOCAL, code, "x")
    for code in (
        Code.NO_DESCRIPTORS,
        Code.STARVED,
        Code.DENIED,
        Code.NOT_REACHED,
        Code.NOT_RECORDED,
        Code.BUG,
    )
)
_STALE = crl(ISSUING, age=30)
_CONNECT = (
    *LOCAL,
    SILENCE,
    REFUSED,
    Failure(Stage.TCP, Code.UNREACHABLE, "", Icmp(3, 13, "203.0.113.254")),
    Failure(Stage.TCP, Code.NO_ROUTE),
)
_EXCHANGES: tuple[Answer, ...] = (
    *(Failure(Stage.HTTP, code) for code in (Code.TIMEOUT, Code.RESET, Code.MALFORMED)),
    BLOCKED,
    page(404),
    page(302, location="http://portal.test/login"),
    page(407),
    page(200, b"\x30\x03junk"),
    _STALE,
)


def _resolutions(name: str, rtype: str, rnd: Random) -> tuple[Answer, ...]:
    picked = [a for a in rnd.sample(ODD_ADDRESSES, 3) if (":" in a) == (rtype == "AAAA")]
    loop = (Record(name, "CNAME", 60, f"a.{name}"), Record(f"a.{name}", "CNAME", 60, name))
    return (
        *(DnsAnswer(rcode) for rcode in ("SERVFAIL", "NXDOMAIN", "REFUSED", "NOERROR")),
        DnsAnswer("NOERROR", tuple(Record(name, rtype, 60, a) for a in picked)),
        DnsAnswer("NOERROR", loop),
        DnsAnswer("NOERROR", (), truncated=True, tcp_failure="refused"),
    )


class Chaos:
    """A network in which `calm` of the steps (0 to 1) are answered as on a healthy one, the others anyhow.

    `steady` names the kinds of step that are always answered well.
    """

    def __init__(
        self, seed: int, calm: float, steady: tuple[type[Step], ...] = (), base: World | None = None
    ) -> None:
        self._seed, self._calm, self._steady = seed, calm, steady
        self.world = base or healthy()
        self.told: dict[Step, Observation] = {}

    def __repr__(self) -> str:
        return f"Chaos({self._seed}, {self._calm}, {self._steady})"

    def answer(self, step: Step) -> Observation:
        """What `step` meets, however often it is asked."""
        if step not in self.told:
            seen = self.world.answer(step)
            rnd = Random(f"{self._seed} {_key(step)}")
            if not isinstance(step, self._steady) and rnd.random() > self._calm:
                seen = self._odd(step, rnd)
            self.told[step] = seen
        return self.told[step]

    def _odd(self, step: Step, rnd: Random) -> Observation:
        made = self._of(step, rnd)
        failure, evidence = made if isinstance(made, tuple) else (None, made)
        if isinstance(evidence, Failure):
            failure, evidence = evidence, None
        return Observation(step, START, 0.05, failure, evidence)

    def _of(self, step: Step, rnd: Random) -> Answer:
        found: tuple[Answer, ...] = LOCAL
        match step:
            case DnsQuestion(name=name, rtype=rtype):
                found = (
                    NO_ANSWER,
                    *LOCAL,
                    Failure(Stage.DNS, Code.MALFORMED),
                    *_resolutions(name, rtype, rnd),
                )
            case OsLookup():
                odd = OsAnswer(tuple(rnd.sample(ODD_ADDRESSES, 2)))
                found = (NO_ANSWER, *LOCAL, OsAnswer((), "EAI_NONAME"), OsAnswer((), "EAI_AGAIN"), odd)
            case TlsHandshake():
                found = (*_CONNECT, *self._handshakes(step))
            case HttpFetch():
                found = (*_CONNECT, *_EXCHANGES)
            case TcpConnect():
                found = (SILENCE, TcpFacts(0.01))
            case TrustLookup():
                found = (TrustRoots(), *LOCAL)
        return rnd.choice(found)

    def _handshakes(self, step: TlsHandshake) -> tuple[Answer, ...]:
        alert = Failure(Stage.TLS, Code.ALERT, "handshake failure", alert=40)
        chain = leaf(step.server_name).chain
        corporate = by(CORPORATE)(step)
        return (
            CUT,
            alert,
            Failure(Stage.TLS, Code.TIMEOUT),
            Failure(Stage.TLS, Code.NOT_TLS, "HTTP/1.1 400"),
            corporate,
            corporate,
            by(NOBODY)(step),
            by(NOBODY, path=False)(step),
            by(PUBLIC)(step),
            shown((b"\x30\x03junk",)),
            shown(leaf(step.server_name, ISSUING, days=-30).chain),
            shown(leaf(BOOTSTRAP).chain),
            shown(chain[:1]),
            (alert, shown(chain, version=None)),
            shown(chain, http_failure="timeout"),
        )


def _key(step: Step) -> str:
    """The step without bytes that differ from run to run: keys are made for the day."""
    if isinstance(step, HttpFetch):
        how = "POST" if step.body else len(step.target) > 40
        return f"{step.address} {step.host} {step.purpose} {how} {step.attempt}"
    return "trust" if isinstance(step, TrustLookup) else repr(step)


def chaos(
    calm: float = 0.0, steady: tuple[type[Step], ...] = (), base: World | None = None
) -> st.SearchStrategy[Chaos]:
    """Networks at random, at least `calm` of each healthy."""
    levels = st.sampled_from([level / 10 for level in range(round(calm * 10), 11)])
    return st.builds(lambda seed, level: Chaos(seed, level, steady, base), st.integers(0, 2**32), levels)
