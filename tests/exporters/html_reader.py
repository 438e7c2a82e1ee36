"""Pages read strictly: every element closed where it belongs, so that text which broke out of its place is seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset({"meta", "wbr"})  # the only elements without an end that the page may hold


@dataclass
class Node:
    """An element: its attributes, and what is inside in order."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    inside: list[Node | str] = field(default_factory=list)

    def all(self, name: str = "", **attributes: str) -> Iterator[Node]:
        """Every element below with this name and these attributes (`class_="s"` is one of its classes)."""
        for child in self.inside:
            if isinstance(child, Node):
                if child.fits(name, attributes):
                    yield child
                yield from child.all(name, **attributes)

    def fits(self, name: str, attributes: dict[str, str]) -> bool:
        classes = attributes.get("class_")
        return (
            (not name or self.name == name)
            and (classes is None or classes in self.attributes.get("class", "").split())
            and all(self.attributes.get(k) == v for k, v in attributes.items() if k != "class_")
        )

    def one(self, name: str = "", **attributes: str) -> Node:
        """The only such element."""
        found = list(self.all(name, **attributes))
        assert len(found) == 1, f"{len(found)} elements {name} {attributes}"
        return found[0]

    @property
    def text(self) -> str:
        """The text of the element and of all below, white space folded."""
        return " ".join("".join(self._texts()).split())

    def _texts(self) -> Iterator[str]:
        for child in self.inside:
            if isinstance(child, str):
                yield child
            elif child.name in ("li", "p", "td", "th", "dt", "dd", "div", "summary", "tr", "h4"):
                yield f" {''.join(child._texts())} "
            else:
                yield from child._texts()


class _Strict(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("")
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [key for key, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice"
        made = Node(tag, {key: value or "" for key, value in attrs})
        self.open[-1].inside.append(made)
        if tag not in VOID:
            self.open.append(made)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].name == tag, f"</{tag}> ends <{self.open[-1].name}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].inside.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data[:80]}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data[:80]}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"an instruction: {data[:80]}")


def read(page: str) -> Node:
    """The page or the part of one; AssertionError where an element is not closed in its place."""
    parser = _Strict()
    parser.feed(page)
    parser.close()
    assert len(parser.open) == 1, f"<{parser.open[-1].name}> is never closed"
    return parser.root
