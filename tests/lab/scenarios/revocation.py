"""Lists and OCSP answers in every form: out of scope, another CA's, old, oddly signed, and what revokes all the same."""

from __future__ import annotations

from collections.abc import Callable

from tests.lab import pki
from tests.lab import plan as plans
from tests.lab.plan import Interceptor, Plan, Resolver
from tests.lab.revocation import Flaws
from tests.lab.scenario import Scenario, Want
from tests.lab.scenarios.healthy import NO_ALARM
from tests.lab.scenarios.http_revocation import NEVER
from tests.lab.scenarios.names import BOOTSTRAP, LOGIN
from tests.lab.servers.tls_behaviour import leaf_for

#: Where the lists of the CA that issues for the bootstrap name are.
LISTS = ("www.microsoft.com", "crl2.microsoft.com")
DIGICERT = ("crl3.digicert.com", "crl4.digicert.com")
SQUID = ("Age: 691200", "X-Cache: HIT from gw.corp.example", "Via: 1.1 gw.corp.example (squid/5.7)")
UNNAMED = ("Age: 691200",)
AKAMAI = ("Age: 691200", "X-Cache: TCP_HIT from a23-55-1-41.deploy.akamaitechnologies.com (AkamaiGHost/22.1)")
RESPONDER = "ocsp.digicert.com"


def _serial(plan: Plan, name: str) -> int:
    return leaf_for(pki.Pki(pki.CA_FROM), plan.world.hosts[name], "normal").cert.serial_number


def _flaws(flaws: Flaws) -> Callable[[Plan], None]:
    def spoil(plan: Plan) -> None:
        plan.world.flaws = flaws

    return spoil


def _form(form: str, *, revoked: bool = False) -> Callable[[Plan], None]:
    """The lists of bootstrap's CA have this form; with `revoked` they list its certificate, and no responder helps."""

    def spoil(plan: Plan) -> None:
        serials = (_serial(plan, BOOTSTRAP),) if revoked else ()
        plan.world.flaws = Flaws(form=form, formed=(pki.OCSP04,), revoked=serials, ocsp_unauthorized=revoked)

    return spoil


def _indirect(plan: Plan) -> None:
    """An entry of another CA's bears the serial number of bootstrap's certificate; the responder knows better."""
    plan.world.flaws = Flaws(
        form="indirect", formed=(pki.OCSP04,), revoked=(_serial(plan, BOOTSTRAP),), ocsp_unauthorized=True
    )


def _forged_everywhere(plan: Plan) -> None:
    plan.world.flaws = Flaws(revoked=(_serial(plan, BOOTSTRAP),))
    plan.interceptors = [Interceptor("pages", plans.match(port=80), options={"page": "forged-list"})]


def _ocsp(form: str, name: str = "") -> Callable[[Plan], None]:
    def spoil(plan: Plan) -> None:
        revoked = (_serial(plan, name),) if name else ()
        plan.world.flaws = Flaws(ocsp_form=form, ocsp_revoked=revoked)

    return spoil


def _ocsp_host_breaks_in_mid_chain(plan: Plan) -> None:
    """The second name of the responder's chain does not exist."""
    via = plan.world.hosts[RESPONDER].via
    rules = [
        {"under": via[0], "do": "rcode", "rcode": "NXDOMAIN"},
        {"under": RESPONDER, "do": "cut", "links": 1},
    ]
    plan.resolvers = [Resolver(behaviour={"rules": rules})]


def _odd(name: str, title: str, form: str) -> Scenario:
    """A list with a good signature that does not tell of the certificates that name it."""
    wants = (Want("crl.out-of-scope", LISTS[:1], "fail"),)
    return Scenario(name, title, "degraded", 1, _form(form), wants, (), (*NEVER, "crl.bad-signature"))


def _odd_body(name: str, title: str, behaviour: str) -> Scenario:
    """DigiCert's lists come in another form than DER."""

    def spoil(plan: Plan) -> None:
        for host in DIGICERT:
            plan.world.hosts[host].port80 = behaviour

    wants = (Want("crl.not-a-crl", DIGICERT, "fail", only=True),)
    return Scenario(name, title, "degraded", 1, spoil, wants, never=NEVER)


def _fine(name: str, title: str, spoil: Callable[[Plan], None], *wants: Want) -> Scenario:
    return Scenario(name, title, "yes", 0, spoil, wants, never=NO_ALARM)


def _warned(name: str, title: str, spoil: Callable[[Plan], None], *wants: Want) -> Scenario:
    return Scenario(name, title, "yes", 1, spoil, wants, never=(*NEVER, "crl.*", "ocsp.bad-signature"))


SCENARIOS = (
    Scenario(
        "forged-list-everywhere",
        "port 80 answers everything with one list of an invented CA, and hides a revoked certificate",
        "degraded",
        1,
        _forged_everywhere,
        (Want("crl.wrong-issuer", ("crl3.digicert.com", *LISTS), "fail"),),
        ("ocsp.not-ocsp", "tcp.accept-all"),
        (*NEVER, "crl.bad-signature"),
    ),
    _fine(
        "crl-name-in-another-form",
        "the CA's name in its list has another string type, case and spacing",
        _form("name"),
        Want("crl.form", LISTS[:1], "notice"),
    ),
    Scenario(
        "revoked-by-a-list-in-another-form",
        "bootstrap's certificate is revoked by such a list; responders decline",
        "no",
        2,
        _form("name", revoked=True),
        (Want("tls.revoked", (BOOTSTRAP,), "fail", only=True),),
        ("crl.revoked",),
        NEVER,
    ),
    _odd_body("crl-as-text", "DigiCert's lists come as text (PEM)", "list-as-text"),
    _odd_body(
        "crl-cut-short", "DigiCert's lists lack their last tenth, and HTTP calls them whole", "list-cut"
    ),
    _odd_body("crl-and-more", "DigiCert's lists come with a line end after their last byte", "list-and-more"),
    _odd("crl-delta", "a delta list stands where the complete list belongs", "delta"),
    _odd("crl-critical-extension", "the list has an unknown critical extension", "critical"),
    _odd("crl-of-another-partition", "the list of another partition comes", "other-partition"),
    _odd("crl-of-cas-only", "the list is about certificates of CAs only", "only-ca"),
    _odd("crl-of-some-reasons", "the list is about some reasons of revocation only", "some-reasons"),
    _fine(
        "crl-indirect",
        "an indirect list: an entry of another CA bears the serial number of bootstrap's certificate",
        _indirect,
        Want("ocsp.unauthorized", (), "notice"),
    ),
    Scenario(
        "stale-by-a-cache",
        "a proxy on the way keeps DigiCert's list past its end, and says so",
        "degraded",
        1,
        _flaws(Flaws(stale=(pki.G2,), headers=SQUID)),
        (Want("crl.stale", ("crl3.digicert.com", "crl4.digicert.com"), "fail", only=True),),
        never=NEVER,
    ),
    Scenario(
        "stale-by-a-cache-without-a-name",
        "a cache that does not tell its name keeps DigiCert's list past its end",
        "degraded",
        1,
        _flaws(Flaws(stale=(pki.G2,), headers=UNNAMED)),
        (Want("crl.stale", ("crl3.digicert.com", "crl4.digicert.com"), "fail", only=True),),
        never=NEVER,
    ),
    Scenario(
        "stale-by-the-publisher-s-cache",
        "a cache of the publisher's delivery network keeps DigiCert's list past its end",
        "degraded",
        1,
        _flaws(Flaws(stale=(pki.G2,), headers=AKAMAI)),
        (Want("crl.stale", ("crl3.digicert.com", "crl4.digicert.com"), "fail", only=True),),
        never=NEVER,
    ),
    Scenario(
        "crl-of-another-key",
        "DigiCert's list names and bears another key of the CA",
        "degraded",
        1,
        _flaws(Flaws(rekeyed=(pki.G2,))),
        (Want("crl.bad-signature", ("crl3.digicert.com", "crl4.digicert.com"), "fail", only=True),),
        never=NEVER,
    ),
    Scenario(
        "ocsp-stale-by-a-cache",
        "a proxy on the way keeps OCSP answers past their end, and says so",
        "degraded",
        1,
        _flaws(Flaws(ocsp_stale=True, headers=SQUID)),
        (Want("ocsp.stale", ("oneocsp.microsoft.com",), "fail"),),
        never=NEVER,
    ),
    Scenario(
        "ocsp-stale",
        "OCSP answers ran out yesterday, and no header shows a cache",
        "degraded",
        1,
        _flaws(Flaws(ocsp_stale=True)),
        (Want("ocsp.stale", ("oneocsp.microsoft.com",), "fail"),),
        never=NEVER,
    ),
    _fine("ocsp-pss", "a responder of its own signs with RSASSA-PSS", _ocsp("pss")),
    _fine("ocsp-ecdsa", "a responder of its own signs with ECDSA and SHA-384", _ocsp("ecdsa")),
    _warned(
        "ocsp-responder-untold",
        "the responder does not send its certificate",
        _ocsp("no-certificate"),
        Want("ocsp.responder", (), "warn"),
    ),
    _warned(
        "ocsp-responder-expired",
        "the responder's certificate ran out",
        _ocsp("expired"),
        Want("ocsp.responder", (), "warn"),
    ),
    _warned(
        "ocsp-responder-without-purpose",
        "the responder's certificate is not for signing OCSP answers",
        _ocsp("no-purpose"),
        Want("ocsp.responder", (), "warn"),
    ),
    Scenario(
        "ocsp-good-and-revoked",
        "one answer calls bootstrap's certificate good and revoked",
        "no",
        2,
        _ocsp("good-and-revoked", BOOTSTRAP),
        (Want("tls.revoked", (BOOTSTRAP,), "fail", only=True),),
        ("ocsp.revoked",),
        NEVER,
    ),
    Scenario(
        "revoked-by-a-responder-alone",
        "only DigiCert's responder calls a sign-in host's certificate revoked",
        "degraded",
        1,
        _ocsp("", LOGIN),
        (
            Want("tls.revoked", (LOGIN,), "fail", only=True),
            Want("ocsp.revoked", (RESPONDER,), "fail"),
        ),
        never=NEVER,
    ),
    Scenario(
        "ocsp-host-unresolved",
        "the chain of a responder's host breaks in the middle",
        "degraded",
        1,
        _ocsp_host_breaks_in_mid_chain,
        (Want("dns.chain-broken", (RESPONDER,), "fail", only=True),),
        (),
        ("audit.not-recorded",),
    ),
)
