"""Values that stand in examples and mean nothing on a real network. `wayclear validate` warns of them.

A copied example starts without an error. Then it measures the wrong tenant, asks resolvers that do not exist, or alerts on
connectors that do not exist.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from probe.config.settings import Config
from rules.text.address import AddressClass, classify

#: The connectors of packaging/wayclear.example.toml, docs/scaling.md and the examples in messages.
CONNECTORS = frozenset({"conn-dub-01", "conn-dub-02", "conn-fra-01", "conn-dublin-1", "conn-dublin-2"})
#: The sample tenant of Microsoft's documentation, and identifiers that people type to fill a place.
_SAMPLE_IDS = frozenset(
    {
        "aaaabbbb-0000-cccc-1111-dddd2222eeee",
        "12345678-1234-1234-1234-123456789abc",
        "12345678-1234-1234-1234-123456789012",
    }
)
#: Every group is one digit again and again: 11111111-2222-3333-4444-555555555555, also the one with zeros only.
_FILLED_IN = re.compile(r"(.)\1{7}-(.)\2{3}-(.)\3{3}-(.)\4{3}-(.)\5{11}")
#: Companies that Microsoft's documentation invented.
_COMPANIES = re.compile(
    r"(contoso|fabrikam)[a-z0-9-]*|adatum|litware(inc)?|northwindtraders|tailspintoys|wingtiptoys|woodgrovebank"
)
#: RFC 2606 sections 2 and 3; RFC 6761 section 6.5 says that example names are for documentation.
_NAMES = re.compile(r"(.*\.)?(example|invalid|test|example\.(com|net|org))")
_ADDRESS = "is an address for documentation (RFC 5737, RFC 3849, RFC 9637)"


def example_warnings(config: Config) -> Iterator[tuple[str, str]]:
    """Each value of `config` that is an example: the path of its key, and a sentence that says what to do."""
    serve = config.serve
    if config.tenant is not None and (why := _sample_tenant(config.tenant)):
        yield "tenant", f"{config.tenant} {why}: put in your own, or leave the line out"
    for index, resolver in enumerate(config.resolvers):
        if _is_documentation(resolver):
            said = (
                "no resolver has it. Put in yours, or leave the line out: then those of this host are asked"
            )
            yield f"resolvers[{index}]", f"{resolver} {_ADDRESS}: {said}"
    for index, listen in enumerate(serve.web.listen):
        host = listen.rpartition(":")[0].removeprefix("[").removesuffix("]")
        if _is_documentation(host):
            yield f"web.listen[{index}]", f"{host} {_ADDRESS}: put in an address of this host"
    for index, name in enumerate(serve.web.hosts):
        if _NAMES.fullmatch(name):
            said = "put in a name of this host, or leave the line out"
            yield f"web.hosts[{index}]", f"{name} is a name for documentation (RFC 2606): {said}"
    if serve.connector in CONNECTORS:
        said = "put in this connector's, or leave the line out: then it is this host's"
        yield "connector", f"{serve.connector} is the name in wayclear's examples: {said}"
    if invented := [name for name in serve.inventory if name in CONNECTORS]:
        said = "an alert would name them as silent. Put in your own, or leave the line out"
        yield "inventory", f"{', '.join(invented)}: names of wayclear's examples; {said}"


def _sample_tenant(tenant: str) -> str:
    """Why this is nobody's tenant; "" if it may be somebody's."""
    if tenant in _SAMPLE_IDS or _FILLED_IN.fullmatch(tenant):
        return "is a sample id and no tenant"
    if _COMPANIES.fullmatch(tenant.partition(".")[0]):
        return "is named after a company of Microsoft's examples"
    return "is a name for documentation (RFC 2606)" if _NAMES.fullmatch(tenant) else ""


def _is_documentation(address: str) -> bool:
    return classify(ipaddress.ip_address(address)) is AddressClass.DOCUMENTATION
