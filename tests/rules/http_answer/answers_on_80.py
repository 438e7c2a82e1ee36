"""Answers over port 80 as devices on the way and as origins write them, in our own words, each with what it is worth.

Held against `judge_reach` (a host without a known document) and `document.answered` (a list was asked for).
"""

from __future__ import annotations

from dataclasses import dataclass

from rules.model.kinds.http_fetch import HttpExchange

HOST = "crl.contoso.example"
PORTAL = "http://portal.corp.example/block?u=1"
HTML = ("content-type", "text/html")


@dataclass(frozen=True)
class Answer:
    """`reach` and `document`: the causes; `circumstance`: that of the document's."""

    name: str
    exchange: HttpExchange
    reach: str
    document: str
    circumstance: str = ""


def made(status: int, text: str | bytes = "", *headers: tuple[str, str]) -> HttpExchange:
    body = text if isinstance(text, bytes) else text.encode()
    return HttpExchange(0.01, 0.02, status, "", headers or (HTML,), body, len(body))


def _page(title: str, *lines: str) -> str:
    return f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{'<br>'.join(lines)}</body></html>"


def _refused(name: str, exchange: HttpExchange) -> Answer:
    return Answer(name, exchange, "http.block-page", "http.block-page")


def _failed(name: str, exchange: HttpExchange) -> Answer:
    return Answer(name, exchange, "http.block-page", "http.block-page", "proxy-failed")


def _sent(name: str, exchange: HttpExchange) -> Answer:
    return Answer(name, exchange, "http.redirected", "http.redirected", "other-zone")


def _own(name: str, exchange: HttpExchange, document: str = "http.status") -> Answer:
    return Answer(name, exchange, "ok", document)


def _own_page(name: str, exchange: HttpExchange) -> Answer:
    return Answer(name, exchange, "ok", "crl.not-a-crl", "page")


META = f'<html><head><meta http-equiv="refresh" content="0;url={PORTAL}"></head></html>'.replace(
    "portal", "gate"
)
SCRIPT = f"<html><script>window.location.href='{PORTAL}' + '&r=1';</script></html>".replace("portal", "gate")
SIGN_IN = "<html><script>location.replace('https://gate.corp.example/captive')</script></html>"
BLOCKED = _page("Web Page Blocked", "This address is in a category that is closed.")

DEVICES = (
    _refused("Zscaler", made(403, _page("Internet Security by Zscaler", "You may not visit this site. Category: other."))),
    _refused("FortiGuard", made(403, _page("FortiGuard Intrusion Prevention - Access Blocked", "Web page blocked", "You tried "
             "to see a page that is in violation of your internet usage policy."))),
    _refused("FortiGuard without a title", made(503, "<html><h1>FortiGuard</h1><p>The page was blocked. Category: games</p>")),
    _refused("FortiGate", made(403, _page("Web Page Blocked", "You have tried to access a web page that is in violation of your "
             "Internet usage policy.", "Category: Games", "Client IP: 10.1.1.7", "URL: x"))),
    _refused("FortiGuard that shows the address", made(403, _page("FortiGuard Intrusion Prevention", "Web Page Blocked",
             "Your IP address: 10.1.1.7"))),
    _refused("a filter that shows the address", made(403, _page("Blocked", "Your organization has blocked this category. Your "
             "IP address: 10.1.1.7"))),
    _refused("SonicWall", made(403, _page("SonicWall - Web Site Blocked", "Blocked by the SonicWall Content Filter Service"))),
    _refused("a gateway that signs", made(404, "", ("server", "Barracuda Web Security Gateway"))),
    _refused("Squid by a rule", made(403, "<html>", ("x-squid-error", "ERR_ACCESS_DENIED 0"))),
    _refused("Squid by a rule of its administrator", made(503, "<html>", ("x-squid-error", "ERR_OUR_BLOCK 0"))),
    _refused("a rule that ends a connection", made(502, _page("McAfee Web Gateway", "Blocked by policy: connection refused"))),
    _failed("Squid cannot connect", made(503, _page("ERROR: The requested URL could not be retrieved", "Connection to 192.0.2.1 "
            "failed. The system returned: (110) Connection timed out"), ("x-squid-error", "ERR_CONNECT_FAIL 110"))),
    _failed("Squid finds no address", made(503, "<html>", ("x-squid-error", "ERR_DNS_FAIL 0"))),
    _failed("Squid waits in vain", made(504, "<html>", ("x-squid-error", "ERR_READ_TIMEOUT 0"))),
    _failed("Squid by its text", made(503, _page("ERROR", "Unable to determine IP address from host name x.", "Generated Mon by "
            "gw (squid/5.7)"))),
    _failed("McAfee finds no address", made(502, _page("McAfee Web Gateway - Notification", "Host Not Found. Your requested host "
            "could not be resolved by DNS."))),
    _failed("a proxy cannot connect", made(502, "<p>The proxy could not connect to the host", ("proxy-agent", "Zscaler/6.2"))),
    _failed("an intermediary's word", made(502, "", ("proxy-status", "Zscaler; error=dns_timeout"))),
    _refused("ProxySG", made(403, _page("Access Denied", "Access Denied (policy_denied)", "Your system policy has denied access "
             "to the requested URL."))),
    _refused("ProxySG by category", made(403, _page("Access Denied", "Your request was denied because of its content "
             'categorization: "Software"'))),
    _refused("McAfee", made(403, _page("McAfee Web Gateway - Notification", "The URL was blocked by the URL filter database."))),
    _refused("Skyhigh", made(403, _page("Notification", "URL blocked", "The address is blocked by the URL filter of Skyhigh."))),
    _refused("Websense", made(403, _page("Notice", "Content blocked by your organization", "Reason: this Websense category is "
             "filtered."))),
    _refused("Forcepoint", made(503, _page("Access", "Access to this website is blocked.", "Forcepoint"))),
    _refused("UserCheck", made(403, _page("Notice", "Check Point UserCheck", "Access to crl is blocked according to the "
             "organization security policy."))),
    _refused("Palo Alto", made(503, _page("Web Page Blocked", "Access to the web page has been blocked in accordance with "
             "company policy."))),
    _refused("Palo Alto in another title", made(503, _page("Notice", "Access to the web page has been blocked in accordance with "
             "company policy. Contact your system administrator."))),
    _refused("Sophos", made(403, _page("Notice", "The download was blocked by Sophos."))),
    _refused("Umbrella", made(403, _page("Cisco Umbrella", "This site is blocked due to content filtering."))),
    _refused("Squid", made(403, _page("ERROR: The requested URL could not be retrieved", "Access Denied.", "Generated Mon by "
             "gw.corp.example (squid/5.7)"), ("server", "squid/5.7"), ("x-squid-error", "ERR_ACCESS_DENIED 0"))),
    _refused("Squid's words alone", made(503, "<html><p>Generated Mon by gw (squid/5.7)", ("server", "squid/5.7"))),
    _refused("Azure Firewall", made(470, "HTTP request from 10.0.0.4 to x:80. Action: Deny. Reason: No rule matched.")),
    _refused("an organization", made(403, _page("Access denied", "Your organization has blocked this category."))),
    _refused("an IT department", made(403, _page("Notice", "Access is restricted by your IT department."))),
    _refused("a policy", made(503, "This violates your organization\u2019s acceptable use policy.", ("x-a", "b"))),
    _refused("UTF-16 with a mark", made(503, BLOCKED.encode("utf-16"))),
    _refused("UTF-16, no mark", made(404, BLOCKED.encode("utf-16-be"))),
    _refused("UTF-32 by its label", made(503, BLOCKED.encode("utf-32-le"), ("content-type", "text/html; charset=utf-32"))),
    _refused("a realm", made(401, "", ("www-authenticate", 'Basic realm="Zscaler"'))),
    _refused("a proxy's header", made(502, "", ("proxy-authenticate", "Negotiate"))),
    _refused("an intermediary's name", made(502, "", ("proxy-status", "Zscaler; error=http_request_denied"))),
    _refused("451 by a filter", made(451, "", ("link", '<https://filter.example/>; rel="blocked-by"'))),
    _refused("a page that sends to sign in", made(200, SIGN_IN)),
    _refused("a refresh to a portal", made(200, "", ("refresh", f"0; url={PORTAL}"))),
    _sent("a refresh elsewhere", made(200, "<html></html>", ("refresh", "0; url=http://10.1.1.1/gate"))),
    _sent("a refresh with an error", made(503, "", ("refresh", "1;url=//gate.corp.example/"))),
    _sent("a meta refresh", made(200, META)),
    _sent("a meta refresh in UTF-16", made(200, META.encode("utf-16"))),
    _sent("a meta refresh with 404", made(404, META)),
    _sent("a script", made(200, SCRIPT)),
    _sent("a script with 403", made(403, SCRIPT)),
    Answer("a page titled so with 200", made(200, BLOCKED), "http.block-page", "crl.not-a-crl", "page"),
    Answer("the same in UTF-16", made(200, BLOCKED.encode("utf-16")), "http.block-page", "crl.not-a-crl", "page"),
    Answer("a mark and a refresh", made(200, META, HTML, ("server", "Zscaler/6.2")), "http.block-page", "crl.not-a-crl", "page"),
)  # fmt: skip

MENTIONS = "Not found. Trusted by Trend Micro, Fortinet."
ORIGINS = (
    _own("a mention in a 404", made(404, _page("404", MENTIONS))),
    _own("a mention in a 503", made(503, _page("Busy", "Come back later. Forcepoint is a partner."))),
    _own("a mention in a 403", made(403, _page("403 - Forbidden", "Access denied. " + MENTIONS))),
    _own("a mention behind a CDN", made(403, _page("Denied", "Blocked, see also forcepoint"), HTML, ("server", "AkamaiGHost"))),
    _own("a server called umbrella", made(404, "", ("x-served-from", "umbrella-prod-3"))),
    _own("a pool called kerio", made(503, _page("503", "Busy"), ("x-pool", "kerio"))),
    _own("a backend called squidward", made(502, "", ("x-backend", "squidward"))),
    _own("a node called barracuda7", made(500, "", ("x-node", "barracuda7"), ("x-forcepoint7", "a"))),
    _own("Squid before the origin", made(404, _page("404", "Not here."), ("server", "squid/5.7"))),
    _own("an intermediary that hands on", made(503, "", ("proxy-status", "zscaler; received-status=503"))),
    _own("the firewall of the site", made(403, _page("Stop", "You were blocked by the firewall of this site."))),
    _own("the owner of the site", made(403, _page("Access denied", "The owner of this website has banned you. Page blocked."))),
    _own("Wordfence", made(503, _page("Blocked", "Your access was limited by the site owner. Generated by Wordfence."))),
    _own("ModSecurity", made(406, _page("Not acceptable", "Blocked by policy. This error was made by Mod_Security."))),
    _own("Sucuri", made(403, _page("Sucuri WebSite Firewall - Access blocked", "Contact us."))),
    _own("an administrator", made(401, _page("401", "Access is denied. Contact your administrator."))),
    _own("451 by the publisher", made(451, "", ("link", f'<https://{HOST}/>; rel="blocked-by"'))),
    _own("a bare 451", made(451)),
    _own("451 by a CDN", made(451, _page("Unavailable For Legal Reasons", "x"), HTML, ("server", "cloudflare"), ("cf-ray", "1"))),
    _own("a web app that is stopped", made(403, _page("Web App - Unavailable", "Error 403 - This web app is stopped."))),
    _own("an application's refusal", made(403, _page("Access Denied", "You do not have the right to see this."))),
    _own("FortiWeb", made(403, _page("Web Page Blocked!", "The page cannot be displayed. Please contact the administrator.",
         "Attack ID: 20000051", "Message ID: 1"))),
    _own("an address that is blocked", made(403, _page("Access blocked", "Your IP address has been blocked due to unusual "
         "traffic"))),
    _own("an address that is shown", made(429, _page("Blocked", "Your IP address: 192.0.2.7"))),
    _own("unusual traffic", made(403, _page("Blocked", "We have seen unusual activity."))),
    _own("a security service", made(403, _page("Request blocked", "This request was blocked by our security service"))),
    _own("SonicWall before the origin", made(403, _page("SonicWall Web Application Firewall", "This request is blocked by the "
         "SonicWall Web Application Firewall."))),
    _own("a header of its firewall", made(404, "", ("x-waf", "SonicWall"))),
    _own("a header of its protection", made(404, "", ("x-protected-by", "Fortinet FortiWeb"))),
    _own("a load balancer", made(404, "", ("server", "Barracuda"))),
    _own("a firewall that signs", made(403, "", ("server", "Fortinet FortiWeb"))),
    _own("404 with a refresh to itself", made(404, "", ("refresh", "0;url=/"))),
    _own("404 with a refresh in its zone", made(404, META.replace("gate.corp.example", "www.contoso.example"))),
    _own_page("a home page that may lead to sign in", made(200, "<html><script>function go() { location = "
              "'https://gate.corp.example/captive' }</script></html>")),
    _own_page("a page that loads itself anew", made(200, "<html>x</html>", HTML, ("refresh", "300"))),
    _own_page("UTF-16", made(200, _page("Welcome", "It works.").encode("utf-16"))),
)  # fmt: skip
