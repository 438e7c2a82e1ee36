"""Whether the words of a page are a refusal, and in whose name. All texts here are visible text in lower case.

A page of a web filter says that somebody other than the host refuses: "your organization", "the network
administrator", a category, a company policy. An origin's own firewall refuses in its own name ("the owner of this
website has banned you"), and origins write "access denied" and "contact your administrator" (IIS and SharePoint do).
So a sentence counts where it names the one who refuses, and no sentence counts on a page that speaks for its own
site.

Words of one kind stand close together in every page seen. The distance is bounded, and so is the work on a hostile
page.
"""

from __future__ import annotations

import re

#: Titles that only filters use.
_TITLES = ("blocked", "web filter", "webfilter", "url filter", "content filter", "policy violation")

_STOPS = r"blocked|denied|restricted|prohibited|forbidden|filtered|disallowed|not (?:allowed|permitted)"
_STOPPED = f"(?:{_STOPS})"
_ADMIN = r"(?:administrators?|admins?)"
_HOUSE = r"(?:organi[sz]ation|company|employer|school|university|institution)"
_STAFF = rf"(?:(?:network|it|ict|information technology|security) (?:department|dept|team|group|staff|services?|{_ADMIN}))"
_YOURS = rf"(?:{_HOUSE}|{_STAFF}|(?:system |domain |company )?{_ADMIN}|network|firewall|proxy|dns|isp|internet provider)"
_POLICY = r"polic(?:y|ies)"

#: Sentences by which somebody between the reader and the host refuses.
_SENTENCES = re.compile(
    "|".join(
        (
            r"\b(?:page|site) blocked\b",
            r"\bblocked by (?:policy|admin|the administrator|the firewall)\b",
            rf"\b{_STOPPED} (?:\w{{1,20}} )?by (?:your {_YOURS}|the {_STAFF})\b",
            rf"\byour (?:{_HOUSE}|{_STAFF}|(?:system )?{_ADMIN}) (?:(?:has|have|currently) ){{0,2}}"
            r"(?:block(?:s|ed)|den(?:y|ies|ied)|restrict(?:s|ed)|prohibit(?:s|ed)|forbids|filter(?:s|ed)|"
            r"(?:does not|doesn't|do not|don't|not) (?:allow|permit)(?:ed)?)\b",
            # "your organization's (acceptable use) policy", not its privacy policy
            rf"\byour {_HOUSE}(?:'s|s')? (?:\(?(?!privacy|cookie|return)[\w-]{{1,20}}\)? ){{0,4}}{_POLICY}\b",
            # "blocked in accordance with company policy", "in violation of your internet usage policy"
            rf"\b(?:{_STOPPED}|violat\w{{1,8}})(?: [\w-]{{1,20}}){{0,5}} "
            rf"(?:company|corporate|organi[sz]ation|internet (?:usage|use|access)|acceptable use)(?:'s)?"
            rf"(?: [\w-]{{1,20}}){{0,3}} {_POLICY}\b",
            r"\bpolicy_denied\b",
            r"\byour system policy has denied\b",
            r"\bdenied because of its content categori[sz]ation\b",
        )
    )
)
_FILTER = re.compile(r"(?<!\bour )\b(?:web|url|content)[ -]?filter")
_BY_FILTER = re.compile(r"\b(?:blocked|denied|prohibited|restricted|violations?|not allowed)\b")
#: The words that must be near a product's name in a running text. "Access denied", "your request was denied",
#: "forbidden" and policies of use and security do not count: origins write them, or link to them at the foot of a
#: page.
_REFUSED = re.compile(
    r"\b(?:blocked|prohibited|quarantined|is filtered|policy_denied|(?:denied|forbidden) by|by policy"
    r"|(?:company|corporate|internet (?:usage|use|access)) policy|categor(?:y|ies) ?:|(?:url|web) categor\w{1,8}"
    r"|categori[sz]ed as|(?:web|url|content)[ -]?filter|not (?:allowed|permitted) to|permission to visit)"
)

#: Names of firewalls in front of origins, and the words that FortiWeb's page has and FortiGate's does not.
_WAF = r"(?:web application firewall|web app firewall|waf|attack id)"
_OF_WAF = re.compile(rf"\b{_WAF}\b")
_SITE = r"(?:web[ -]?)?(?:site|server|page)"
_OWN = r"(?:owners?|operators?|webmasters?|administrators?|firewall)"
#: Words of a site that speaks for itself, and of firewalls that sites install.
_FOR_THE_SITE = re.compile(
    "|".join(
        (
            rf"\b(?:{_OWN}|security (?:service|system|plugin|rules|settings))(?: \w{{1,20}}){{0,2}} "
            rf"(?:of|for|on|at|protecting) (?:this|our|the) {_SITE}\b",
            rf"\b(?:this|our) {_SITE}(?:'s)? (?:{_OWN}|security (?:service|system|plugin|rules|policy|settings)|uses|is using"
            r"|has (?:blocked|banned|denied|restricted) (?:you|access))\b",
            r"\b(?:web[ -]?)?site(?:'s)? (?:owner|operator|firewall)\b",
            rf"\b(?:wordfence|mod_?security|sucuri|{_WAF})\b",
            r"\bour (?:\w{1,20} )?(?:security|protection) (?:service|system|solution|software|rules)\b",
            r"\bunusual (?:traffic|activity)\b",
            # "Your IP address 192.0.2.7 has been blocked": a filter at home blocks the site, and not its reader's address
            rf"\byour ip(?: address(?:es)?)?(?: [\w.:()\[\]-]{{1,45}}){{0,3}} (?:banned|blacklisted|flagged|{_STOPS})\b",
            r"\bto protect (?:itself|this (?:web)?site)\b",
        )
    )
)

#: Maximum of places of a name checked in a text, and of characters around each.
_PLACES, _AROUND, _BESIDE = 8, 300, 60


def titled_as_blocked(named: str) -> bool:
    """Whether only filters use this title."""
    return any(word in named for word in _TITLES)


def speaks_for_the_site(said: str) -> bool:
    """Whether a page refuses in the name of the site itself, as an origin's own firewall does."""
    return _FOR_THE_SITE.search(_plain_quotes(said)) is not None


def is_waf_page(said: str) -> bool:
    """Whether a page comes from a firewall in front of origins, whoever makes it."""
    return _OF_WAF.search(said) is not None


def speaks_to_its_visitor(said: str) -> bool:
    """Whether a page shows the reader's address. Then a title alone does not prove a filter, because origins do so."""
    return "your ip" in said


def refuses(said: str) -> bool:
    """Whether a text is a refusal by somebody between the reader and the host."""
    said = _plain_quotes(said)
    return _SENTENCES.search(said) is not None or any(
        _BY_FILTER.search(said[max(0, at - _BESIDE) : at + _BESIDE]) for at in _places(_FILTER, said)
    )


def refused_near(said: str, word: re.Pattern[str]) -> bool:
    """Whether a text refuses near an occurrence of `word`."""
    return any(_REFUSED.search(said[max(0, at - _AROUND) : at + _AROUND]) for at in _places(word, said))


def _places(word: re.Pattern[str], said: str) -> list[int]:
    found = []
    for match in word.finditer(said):
        found.append(match.start())
        if len(found) == _PLACES:
            break
    return found


def _plain_quotes(said: str) -> str:
    return said.replace("\u2019", "'").replace("\u2018", "'")
