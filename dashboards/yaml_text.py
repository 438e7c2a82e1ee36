"""Values to YAML that a person reads: keys in their order, text of several lines as a block."""

from __future__ import annotations

from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    """PyYAML's, with blocks for long text and lists set in."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        return super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def document(value: Any, *comment: str) -> str:  # noqa: ANN401  # any tree that YAML can hold
    """One YAML document under its comment."""
    head = "".join(f"# {line}".rstrip() + "\n" for line in comment)
    body: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
    return f"{head}\n{body}"
