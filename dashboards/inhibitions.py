"""What holds what back: one outage is one message. Alertmanager's configuration is made from this file.

An alert that is itself held back still holds others back.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While `source` fires, `targets` with the same value of each label in `equal` are not told. `why` is for people."""

    source: str
    targets: tuple[str, ...]
    equal: tuple[str, ...]
    why: str


#: What a connector says about the network, which is worth nothing while its host is at fault.
_OF_A_HOST = (
    "WayclearServiceIntercepted",
    "WayclearConnectorDown",
    "WayclearServiceNameDown",
    "WayclearAnswerNotProven",
    "WayclearServiceAddressesFailing",
    "WayclearSignInDown",
    "WayclearCrlUnreachable",
    "WayclearCrlExpiring",
)
#: What fails as well where a connector does not work.
_OF_A_CONNECTOR = (
    "WayclearServiceNameDown",
    "WayclearServiceAddressesFailing",
    "WayclearSignInDown",
    "WayclearCrlUnreachable",
)
# A fault of the host does not hold back WayclearProberStale: that says that a host's word is old, its fault included.
# WayclearGroupRedundancyLost is in no list: a group that has lost its redundancy is paged, whatever caused it.
INHIBITIONS: tuple[Inhibition, ...] = (
    Inhibition(
        "WayclearGroupRedundancyLost",
        (
            "WayclearServiceIntercepted",
            "WayclearConnectorDown",
            "WayclearHostFault",
            "WayclearProberStale",
            "WayclearConnectorSilent",
        ),
        ("connector_group",),
        "The page for a group over the alerts about its connectors: it names each of them with its cause.",
    ),
    Inhibition(
        "WayclearHostFault", _OF_A_HOST, ("connector",),
        "A fault of the host itself over all of that host.",
    ),
    Inhibition(
        "WayclearSiteDown", ("WayclearConnectorDown",), ("site",),
        "Two connectors of a site over each of them.",
    ),
    Inhibition(
        "WayclearConnectorDown", _OF_A_CONNECTOR, ("connector",),
        "A connector that does not work over the single names of it that fail.",
    ),
    Inhibition(
        "WayclearServiceIntercepted",
        ("WayclearServiceNameDown", "WayclearServiceAddressesFailing", "WayclearSignInDown"), ("connector",),
        "Interception over the names of the same connector that fail.",
    ),
    Inhibition(
        "WayclearServiceNameDown", ("WayclearServiceAddressesFailing",), ("connector",),
        "A service name that is down over the share of failing addresses.",
    ),
    Inhibition(
        "WayclearConnectorSharesFailure",
        ("WayclearConnectorDown", "WayclearServiceNameDown", "WayclearServiceAddressesFailing"), ("connector",),
        "The same target fails from three sites: over the connectors that are down with it.",
    ),
    Inhibition(
        "WayclearLikelyMicrosoft",
        ("WayclearServiceNameDown", "WayclearSignInDown", "WayclearCrlUnreachable"), ("target",),
        "The same target fails from three sites: over each connector's ticket about that target.",
    ),
    Inhibition(
        "WayclearGroupTellsOfName", ("WayclearLikelyMicrosoft",), ("target", "port"),
        "A group that is paged over this name: over the ticket that the name fails from three sites.",
    ),
)  # fmt: skip
