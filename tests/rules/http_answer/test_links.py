"""Where a page sends its reader, and what only looks as if it did."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.http_answer import links
from rules.http_answer.links import STEPS, blocked_by, redirect_kind, sent_to
from rules.http_answer.text import SNIFFED

THERE = "http://portal.corp.example/x?a=1"


def script(text: str) -> str:
    return f"<html><head><script type='text/javascript'>{text}</script></head></html>"


@pytest.mark.parametrize(
    "value",
    [
        f"0; url={THERE}",
        f"0;URL='{THERE}'",
        f'5; Url = "{THERE}"; more',
        f"0,{THERE}",
        f" 1.5 {THERE}",
    ],
)
def test_a_refresh(value: str) -> None:
    assert sent_to((("refresh", value),), "", page=False) == THERE
    quoted = value.replace('"', "&quot;")
    assert sent_to((), f'<html><meta http-equiv="Refresh" content="{quoted}">', page=True) == THERE
    assert sent_to((), f'<html><META content="{quoted}" HTTP-EQUIV=refresh />', page=True) == THERE


@pytest.mark.parametrize(
    "value", ["", "5", "0;", "0; url=", "now", "0;url=javascript:x()", "0;url=http://[a"]
)
def test_a_refresh_that_leads_nowhere(value: str) -> None:
    assert sent_to((("refresh", value),), "", page=False) == ""


@pytest.mark.parametrize(
    "text",
    [
        f'location="{THERE}"',
        f"window.location = '{THERE}';",
        f"a=1;document.location.href=`{THERE}`",
        f'top.location.replace("{THERE}")',
        f'window.location.assign( "{THERE}" );',
        f'self.location="{THERE}" + "&u=" + document.URL',
        f'<!--\nparent.location="{THERE}"\n//-->',
        f'//<![CDATA[\nlocation.href="{THERE}"//]]>',
        f'var a = f()\nlocation = "{THERE}"',
        f'function f() {{ return {{}} }} location="{THERE}"',
        f'window.onload = function () {{ location="{THERE}" }}',
        f'window.addEventListener("load", () => {{ location="{THERE}" }})',
        f'setTimeout(function(){{ location.href = "{THERE}"; }}, 100)',
        f'(function(){{ try {{ location="{THERE}" }} catch (e) {{}} }})()',
        f'// "it\'s a trap\nlocation="{THERE}"',
        'location="http:\\/\\/portal.corp.example\\/x?a=1"',
    ],
)
def test_a_script_that_sends_on_while_the_page_loads(text: str) -> None:
    assert sent_to((), script(text), page=True) == THERE


@pytest.mark.parametrize(
    "text",
    [
        f'function login() {{ location.href = "{THERE}" }}',
        f'if (old) {{ location = "{THERE}" }}',
        f'if (old) location = "{THERE}"',
        f'if (old)\n  location = "{THERE}"',
        f'if (old) f(); else location = "{THERE}"',
        f'old && (location = "{THERE}")',
        f'var location = "{THERE}"',
        f'if (location == "{THERE}") f()',
        f'my.location = "{THERE}"; relocation = "{THERE}"',
        f"// location = '{THERE}'\n/* ;location = '{THERE}' */",
        f"x = \"; location = '{THERE}'\"",
        'location = "/login"; location = there',
        f'button.onclick = function () {{ location = "{THERE}" }}',
    ],
)
def test_a_script_that_does_not(text: str) -> None:
    assert sent_to((), script(text), page=True) == ""


@pytest.mark.parametrize(
    "text",
    [
        f'<!-- <meta http-equiv="refresh" content="0;url={THERE}"> -->',
        f'<noscript><meta http-equiv="refresh" content="0;url={THERE}"></noscript>',
        f'<meta name="refresh" content="0;url={THERE}">',
        f'<meta http-equiv="content-type" content="0;url={THERE}">',
        f'<a href="{THERE}" onclick="location=\'{THERE}\'">go</a>',
        f'<textarea><script>location="{THERE}"</script></textarea>',
        f"<p>location = '{THERE}'</p>",
    ],
)
def test_parts_of_a_page_that_send_nobody_on(text: str) -> None:
    assert sent_to((), f"<html>{text}", page=True) == ""


def test_the_first_target_counts() -> None:
    meta = '<meta http-equiv="refresh" content="0;url=/own">'
    assert sent_to((), f"<html>{meta}{script(f'location={THERE!r}')}", page=True) == "/own"
    assert sent_to((), f"<html>{script(f'location={THERE!r}')}{meta}", page=True) == THERE
    assert sent_to((("refresh", f"0;url={THERE}"),), f"<html>{meta}", page=True) == THERE
    assert sent_to((("refresh", "300"),), f"<html>{meta}", page=True) == "/own"
    assert sent_to((), f"<html><body onload=\"location='{THERE}'\">", page=True) == THERE
    assert sent_to((), f"<html>{meta}", page=False) == ""


@pytest.mark.parametrize(
    ("value", "host", "expected"),
    [
        ('<https://f.example/>; rel="blocked-by"', "crl.contoso.example", "https://f.example/"),
        ("<https://f.example/>;title=x ; rel=blocked-by", "crl.contoso.example", "https://f.example/"),
        ('</a>; rel=x, <//f.example>; rel="x Blocked-By"', "crl.contoso.example", "//f.example"),
        ('<https://www.contoso.example/>; rel="blocked-by"', "crl.contoso.example", ""),
        ('<https://f.example/>; rel="license"', "crl.contoso.example", ""),
        ('</who>; rel="blocked-by"', "crl.contoso.example", ""),
        ('<http://[>; rel="blocked-by"', "crl.contoso.example", ""),
        ('<https://f.example/>; rel="blocked-by"', "", ""),
    ],
)
def test_who_blocks(value: str, host: str, expected: str) -> None:
    assert blocked_by((("server", "x"), ("link", value)), host) == expected


@pytest.mark.parametrize("before", ["", "{}" * 60, '"x";' * 80])
def test_a_target_behind_a_long_script_is_found_and_behind_an_endless_one_not(before: str) -> None:
    assert sent_to((), script(f'{before}location="{THERE}"'), page=True) == THERE
    assert sent_to((), script(f'{before}{{}}{"{}" * STEPS}location="{THERE}"'), page=True) == ""


def test_all_scripts_of_a_page_together_have_a_bounded_number_of_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[str] = []

    def noted(before: str) -> bool:
        seen.append(before)
        return True

    monkeypatch.setattr(links, "_runs_on_load", noted)
    sent_to((), "<html>" + "<script>location;{{</script>" * 600, page=True)
    assert len(seen) <= STEPS
    seen.clear()
    sent_to((), script("try{" * 4000), page=True)  # it sets no location at all
    assert not seen


@pytest.mark.parametrize(
    "location",
    [
        "http://login.portal.example/x",
        "http://wifi.example.net/",
        "http://10.0.0.1/captive",
        "http://10.0.0.1/hotspot/login",
        "https://gate.corp.example/guest?u=1",
        "http://192.0.2.1/cgi-bin/login",
        "http://192.0.2.1/login.html?redirect=x",
        "http://192.0.2.1/logon.asp",
        "http://192.0.2.1:1000/fgtauth?0a",
        "http://captiveportal.corp.example/",
        "http://guest-wifi.corp.example/",
        "http://securelogin.example/swarm.cgi",
        "http://PORTAL2.corp.example./",
        "//auth.corp.example",
    ],
)
def test_addresses_where_one_signs_in(location: str) -> None:
    assert redirect_kind(location, "crl.contoso.example") == "portal"


@pytest.mark.parametrize(
    "location",
    [
        "https://www.microsoft.com/pki/certificate-authority",
        "https://www.fabrikam.example/authors",
        "https://www.authenticode-ca.example/",
        "https://authority.fabrikam.example/authorities.html",
        "https://www.fabrikam.example/?utm=bloginfo",
        "https://www.fabrikam.example/?next=/login",
        "https://www.fabrikam.example/#login",
        "https://guestbook.fabrikam.example/support/portals-and-blogins",
        "https://login@www.fabrikam.example/",
    ],
)
def test_addresses_that_only_hold_such_letters(location: str) -> None:
    assert redirect_kind(location, "crl.contoso.example") == "redirect"


@pytest.mark.parametrize(
    "location", ["/login", "https://login.contoso.example/", "https://contoso.example/portal"]
)
def test_a_login_in_its_own_zone_is_the_host_s_own_affair(location: str) -> None:
    assert redirect_kind(location, "crl.contoso.example") is None


PIECES = [
    "<", "<!--", "<script>", "<meta http-equiv=", "<meta http-equiv= ", 'content="', "{", "{}", 'location = "//', "location ",
    '\\"', '"', "'", "/*", "function(){", "window.", "&#9",
]  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize(
    "before", ["<html>", "<script>", "<meta http-equiv=refresh content=", "<meta http-equiv="]
)
def test_a_page_of_any_shape_is_passed_once(before: str, piece: str) -> None:
    text = before + piece * (SNIFFED // len(piece))
    began = time.process_time()
    sent_to((("refresh", text),), text, page=True)
    blocked_by((("link", text),), "a.example")
    assert time.process_time() - began < 2.0  # a pattern that goes back over the page takes minutes


@given(
    st.text(max_size=300),
    st.sampled_from(["", "<script>", '<meta http-equiv="refresh" content="0;url=', "0;url="]),
)
def test_whatever_comes_has_a_target_or_none(text: str, before: str) -> None:
    assert isinstance(sent_to((("refresh", before + text),), before + text, page=True), str)
    assert isinstance(blocked_by((("link", text),), "a.example"), str)
