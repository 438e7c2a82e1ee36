"""The geographies of connector groups, as they stand in the names that a connector is handed ("cwap-eur1-weur2").

Source: names seen in connectors' traffic (see the probes of the rule set); Microsoft publishes no list. A connector group uses
its tenant's geography unless its administrator chose another (Microsoft, "Private network connector groups").
"""

from __future__ import annotations

from collections.abc import Mapping

#: By the code in the names.
GEOGRAPHIES: Mapping[str, str] = {
    "nam": "North America",
    "eur": "Europe",
    "asia": "Asia",
    "aus": "Australia",
    "ind": "India",
    "japan": "Japan",
}


def geography(region: str) -> str:
    """The code for a geography, which a person names or abbreviates; "" for any other region ("emea")."""
    said = " ".join(region.lower().replace("-", " ").replace("_", " ").split())
    return next((code for code, name in GEOGRAPHIES.items() if said in (code, name.lower())), "")
