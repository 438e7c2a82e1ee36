"""Proxies that are set on this host: each source has its own grammar, and each program uses one source.

- The connector (.NET Framework) uses its exe.config, machine.config where that has no `defaultProxy`, else the system's
  setting ("Work with existing on-premises proxy servers", Microsoft Learn, 2025). The updater uses its own exe.config.
- Windows' certificate checks (CryptoAPI: lists, OCSP, issuing certificates, on port 80) use WinHTTP's setting, never the
  connector's own (KB 2623724; "Certificate revocation list check and WinHTTP proxy settings", 2011). Private Access
  needs the proxy in both ("Troubleshoot connectors", 2025).
- Programs of a shell use the environment, which .NET Framework and CryptoAPI do not read.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from rules.judge.evidence import Context
from rules.judge.remedies import remedy
from rules.model import causes
from rules.model.causes.record import Cause, Layer
from rules.model.kinds.local_host import CONNECTOR, MACHINE, UPDATER, WINHTTP, HostFacts, ProxySetting
from rules.model.verdict import Status, Verdict
from rules.text import pattern
from rules.text.proxy_pattern import BadPattern, matches

#: The end of the `fault` of an expression that .NET refuses too.
REFUSED = "which .NET refuses"
_DOTNET = frozenset({CONNECTOR, UPDATER, MACHINE})
#: The order of sources for one endpoint.
_RANKS = (CONNECTOR, MACHINE, WINHTTP)
#: Layers of causes that a firewall on the direct path can produce.
_ON_THE_WAY = frozenset[Layer]({"tcp", "tls", "http", "crl", "ocsp"})
_SCHEMES = {80: "http"}
#: A CA's signature proves these, whatever path the certificate and the list took.
_REVOKED = frozenset({causes.TLS_REVOKED, causes.CRL_REVOKED, causes.OCSP_REVOKED})
#: Characters that show that a list without a known source holds expressions: no name, address or glob has them.
_EXPRESSION = re.compile(r"[\\^$()+|]|(?:\A|;)\.\*")
_PORT = re.compile(r"[0-9]{1,5}")
_WINHTTP_ENTRY = re.compile(r"(?:([a-z]+)://)?(.*?)(?::([0-9]{1,5}))?\Z")


class Expressions(str):
    """A bypass list of a .NET file, which by its type holds expressions."""

    __slots__ = ()


def proxied(context: Context, rows: Iterable[Verdict]) -> list[Verdict]:
    """A proxy is set and the direct path fails: that proves nothing, and no firewall has to be opened for it."""
    host = context.audit.host
    settings = relevant_proxies(host) if host is not None else ()
    if not settings:
        return list(rows)
    return [_judged(verdict, settings) for verdict in rows]


def relevant_proxies(host: HostFacts) -> tuple[ProxySetting, ...]:
    """The settings for the connector and the certificate checks of this host."""
    windows = host.os.lower().startswith("windows")
    return tuple(p for p in host.proxies if not (windows and _of_environment(p)))


def followed_sources(proxies: Iterable[ProxySetting]) -> tuple[str, str]:
    """The source that the connector and the certificate checks of a Windows host use, "" where none of theirs is set."""
    sources = {p.source for p in proxies}
    own = next((source for source in _RANKS if source in sources), "")
    return own, WINHTTP if WINHTTP in sources else ""


def _judged(verdict: Verdict, settings: tuple[ProxySetting, ...]) -> Verdict:
    serving = tuple(p for p in settings if applies_to(p, verdict))
    if serving or not _is_certificate_check(verdict):
        return adjust_for_proxies(verdict, serving)
    own = next((p for p in settings if p.source in _RANKS and (p.address or p.automatic)), None)
    failing = verdict.status in (Status.FAIL, Status.WARN) and _not_fetched(verdict.cause)
    if own is None or not failing:
        return verdict
    more = causes.WINHTTP_ALONE.remedy.format(source=own.source)
    return replace(verdict, remedy=f"{verdict.remedy} {more}".lstrip())


def _not_fetched(cause: Cause) -> bool:
    """Whether a certificate check failed on the direct path, which a WinHTTP proxy would avoid."""
    return cause.layer in ("tcp", "http") or cause in (causes.CRL_UNREACHABLE, causes.OCSP_UNREACHABLE)


def adjust_for_proxies(verdict: Verdict, proxies: tuple[ProxySetting, ...]) -> Verdict:
    """A verdict adjusted for the proxies that a program would use for its endpoint."""
    touched = verdict.status in (Status.FAIL, Status.WARN) or (
        verdict.remedy and verdict.cause.layer in _ON_THE_WAY
    )
    if not proxies or verdict.endpoint is None or not touched or verdict.cause in _REVOKED:
        return verdict
    first = min(proxies, key=_rank)
    if not (first.address or first.automatic or first.faults):
        return verdict  # it states that no proxy is used
    if not first.automatic and bypasses(
        verdict.endpoint.host, first.bypass, first.source, verdict.endpoint.port
    ):
        return verdict
    if verdict.status in (Status.FAIL, Status.WARN, Status.INCONCLUSIVE):
        return _not_through_proxy(verdict, first)
    return replace(verdict, remedy="")


def applies_to(proxy: ProxySetting, verdict: Verdict) -> bool:
    """Whether the setting applies to the endpoint: by scheme, and by the program that asks there."""
    if verdict.endpoint is None:
        return True
    scheme = _SCHEMES.get(verdict.endpoint.port, "https")
    if _of_environment(proxy):
        name = proxy.source.lower()
        return not name.endswith("https_proxy" if scheme == "http" else " http_proxy")
    if proxy.source in _DOTNET:
        return proxy.source != UPDATER and not _is_certificate_check(verdict)
    if proxy.source == WINHTTP and not proxy.automatic:
        return _has_server(proxy.address, scheme)
    return True


def _is_certificate_check(verdict: Verdict) -> bool:
    """Whether Windows asks there on behalf of the connector: lists, OCSP answers and issuing certificates on port 80."""
    return verdict.check in ("crl", "ocsp") or (verdict.endpoint is not None and verdict.endpoint.port == 80)


def _of_environment(proxy: ProxySetting) -> bool:
    return proxy.source.lower().startswith("environment")


def _rank(proxy: ProxySetting) -> int:
    return _RANKS.index(proxy.source) if proxy.source in _RANKS else len(_RANKS)


def _has_server(servers: str, scheme: str) -> bool:
    """Whether WinHTTP's list has a server for the scheme: `http=a:80;https=b:80`, or `a:80` for all schemes.

    WINHTTP_PROXY_INFO: `([<scheme>=][<scheme>"://"]<server>[":"<port>])`, with semicolons or blanks between.
    """
    words = re.split(r"[;\s]+", servers.strip().lower())
    return any(word and ("=" not in word or word.startswith(f"{scheme}=")) for word in words)


def _not_through_proxy(verdict: Verdict, proxy: ProxySetting) -> Verdict:
    """The text for a path that was not tested because a proxy is set or may be found."""
    details = [("on the direct way", f"{verdict.cause}: {verdict.summary}")]
    what, circumstance = f"a proxy is set ({proxy.source}) and was not used", ""
    if proxy.automatic:
        what = f"a proxy is chosen automatically ({proxy.source}: {proxy.automatic}) and was not asked for"
        circumstance = "automatic"
    elif _is_certificate_check(verdict) and not _of_environment(proxy):
        circumstance = "certificate-check"
    faults = (*proxy.faults, *unreadable_expressions(proxy))
    if faults:
        details.append(("proxy setting", "; ".join(faults)))
    return replace(
        verdict,
        status=Status.INCONCLUSIVE,
        cause=causes.PROXY_NOT_TESTED,
        summary=f"{verdict.summary} (on the direct way: {verdict.cause}); {what}",
        details=(*verdict.details, *details),
        remedy=remedy(causes.PROXY_NOT_TESTED, circumstance),
        circumstance=circumstance,
    )


def unreadable_expressions(proxy: ProxySetting) -> tuple[str, ...]:
    """Expressions of a .NET list that .NET may read and this program cannot: whether they match a name is unknown."""
    if proxy.source not in _DOTNET:
        return ()
    return tuple(fault for entry in _expressions(proxy.bypass) if (fault := expression_fault(entry)))


def expression_fault(expression: str) -> str:
    """The fault of an entry of a .NET list, as a sentence; "" for a valid one."""
    try:
        matches(expression, "")
    except BadPattern as error:
        whose = REFUSED if error.refused else "which wayclear does not judge"
        return f"the expression {expression} of the bypass list {error}, {whose}"
    return ""


def bypasses(host: str, bypass: str, source: str = "", port: int = 443) -> bool:
    """Whether a program bypasses the proxy for `host`, by the list's own grammar.

    `source` as in `ProxySetting`. Where it is unknown, the list itself shows whether it holds expressions.
    """
    host = host.lower().rstrip(".")
    if source in _DOTNET or isinstance(bypass, Expressions) or (not source and _EXPRESSION.search(bypass)):
        return any(_hit(entry, host, port) for entry in _expressions(bypass))
    if source == WINHTTP:
        return any(_of_winhttp(entry, host, port) for entry in re.split(r"[;\s]+", bypass.lower()) if entry)
    if source:
        return any(_of_no_proxy(entry, host, port) for entry in re.split(r"[,\s]+", bypass.lower()) if entry)
    entries = [entry for entry in re.split(r"[,;\s]+", bypass.lower()) if entry]
    return any(_of_no_proxy(e, host, port) or _of_winhttp(e, host, port) for e in entries)


def _expressions(bypass: str) -> Iterator[str]:
    return (entry for entry in bypass.split(";") if entry)


def _hit(entry: str, host: str, port: int) -> bool:
    """.NET: an expression, found anywhere in `scheme://host`, with the port if it is not the scheme's default.

    System.Net.WebProxy; the anchoring follows Microsoft's page for `bypasslist`. `<local>` stands for
    `bypassonlocal`.
    """
    if entry == "<local>":
        return "." not in host
    scheme = _SCHEMES.get(port, "https")
    address = f"{scheme}://{host}" + ("" if port in (80, 443) else f":{port}")
    try:
        return matches(entry, address)
    except BadPattern:
        return False


def _of_winhttp(entry: str, host: str, port: int) -> bool:
    """WinHTTP: names with `*` for anything, `<local>` for names without a dot, optionally a scheme and a port."""
    if entry == "<local>":
        return "." not in host
    found = _WINHTTP_ENTRY.match(entry)
    scheme, name, wanted = found.groups() if found else (None, entry, None)
    if scheme and scheme != _SCHEMES.get(port, "https"):
        return False
    return (wanted is None or int(wanted) == port) and pattern.matches(name, host)


def _of_no_proxy(entry: str, host: str, port: int) -> bool:
    """NO_PROXY as curl, Go and requests agree on it: a domain with all names below it, an address or a network,
    optionally a port.

    `*` is everything; a leading dot or `*.` changes nothing. A network is compared with an address only, never with a
    name's addresses.
    """
    if entry == "*":
        return True
    name, colon, wanted = entry.rpartition(":")
    if colon and _PORT.fullmatch(wanted) and (":" not in name or name.endswith("]")):
        if int(wanted) != port:
            return False
        entry = name
    entry = entry.strip("[]")
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        pass
    domain = entry.removeprefix("*").removeprefix(".").rstrip(".")
    return bool(domain) and (host == domain or host.endswith(f".{domain}"))
