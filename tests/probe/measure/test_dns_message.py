"""DNS messages: against dnspython for good ones, against caps and chaos for the others."""

from __future__ import annotations

import contextlib
import struct
from dataclasses import replace
from ipaddress import IPv6Address

import dns.flags
import dns.message
import dns.name
import dns.rrset
import pytest
from dns.exception import DNSException
from hypothesis import given
from hypothesis import strategies as st

from probe.measure import dns_message
from rules.model.kinds.dns_chain import Record
from tests.probe.dns_servers import Asked, a_record, alias, opt, wire_name

ASKED = dns_message.question_section("a.test", "A")
LABEL = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=12)
NAMES = st.lists(LABEL, min_size=1, max_size=6).map(".".join)
RECORDS = st.lists(
    st.one_of(
        st.tuples(NAMES, st.just("A"), st.ip_addresses(v=4).map(str)),
        st.tuples(NAMES, st.just("AAAA"), st.ip_addresses(v=6).map(lambda address: address.exploded)),
        st.tuples(NAMES, st.just("CNAME"), NAMES.map(lambda name: name + ".")),
        st.tuples(NAMES, st.just("DNAME"), NAMES.map(lambda name: name + ".")),
        st.tuples(NAMES, st.just("TXT"), st.just('"not kept"')),
    ),
    max_size=12,
    unique_by=lambda record: (record[0], record[1]),
)


@given(NAMES, st.sampled_from(["A", "AAAA"]), st.integers(0, 65535), st.booleans())
def test_a_query_is_what_dnspython_reads(name: str, rtype: str, number: int, edns: bool) -> None:
    wire = dns_message.make_query(dns_message.question_section(name, rtype), number, edns=edns)
    message = dns.message.from_wire(wire)
    assert message.id == number
    assert message.flags == dns.flags.RD
    assert message.question[0].to_text() == f"{name}. IN {rtype}"
    assert message.edns == (0 if edns else -1)
    assert message.payload == (1232 if edns else 0)


@given(NAMES, RECORDS, st.integers(0, 86400), st.booleans())
def test_an_answer_holds_what_dnspython_wrote(
    name: str, records: list[tuple[str, str, str]], ttl: int, ad: bool
) -> None:
    query = dns.message.make_query(name, "A", use_edns=0)
    response = dns.message.make_response(query)
    for owner, rtype, value in records:
        response.answer.append(dns.rrset.from_text(f"{owner}.", ttl, "IN", rtype, value))
    if ad:
        response.flags |= dns.flags.AD
    asked, wire = dns_message.question_section(name, "A"), response.to_wire()
    assert dns_message.response_id(wire, asked) == query.id
    reply = dns_message.parse_response(wire, asked, name)
    told = tuple(
        replace(r, value=IPv6Address(r.value).exploded) if r.type == "AAAA" else r for r in reply.records
    )  # dnspython and the C library abbreviate some addresses differently
    assert told == tuple(
        Record(owner, rtype, ttl, value.removesuffix(".") if rtype.endswith("NAME") else value)
        for owner, rtype, value in records
        if rtype != "TXT"
    )
    assert (reply.rcode, reply.ad, reply.truncated, reply.ede) == ("NOERROR", ad, False, "")


@given(st.one_of(NAMES, st.text(max_size=300), st.lists(LABEL, min_size=20, max_size=40).map(".".join)))
def test_a_question_is_dnspython_s(name: str) -> None:
    try:
        theirs = dns.name.from_text(name or ".").to_wire()
    except DNSException:
        with pytest.raises(DNSException):
            dns_message.question_section(name, "A")
    else:
        assert theirs is not None
        assert dns_message.question_section(name, "A") == theirs + b"\0\1\0\1"


PIECES = st.one_of(
    LABEL.map(lambda label: bytes((len(label),)) + label.encode()),
    st.binary(min_size=1, max_size=70).map(lambda label: bytes((len(label),)) + label),
    st.integers(0, 400).map(lambda target: (0xC000 | target).to_bytes(2)),
    st.sampled_from([b"\0", b"\x01", b"\xc0", b"\x3f" + b"a" * 63]),
)


@given(st.lists(PIECES, max_size=20).map(b"".join), st.integers(0, 400))
def test_a_plain_name_is_what_dnspython_reads(wire: bytes, at: int) -> None:
    plain = dns_message._plain(wire, at)
    if plain is not None:
        name, used = dns.name.from_wire(wire, at)
        assert plain == (name.to_text(omit_final_dot=True).lower(), used)


def test_a_plain_name_is_read_without_dnspython(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = b"\1A\4Test\0\3www\xc0\0\3w-3\xc0\x12"
    monkeypatch.setattr("dns.name.from_wire", None)
    assert dns_message._plain(wire, 0) == ("a.test", 8)
    assert dns_message._plain(wire, 8) == ("www.a.test", 6)
    assert dns_message._plain(wire, 14) is None, "a pointer to itself"
    assert dns_message._plain(wire[:14] + b"\3w-3\xc0\x08", 14) == ("w-3.www.a.test", 6)


def test_a_question_that_is_no_name() -> None:
    for name in ("a" * 64, "a..b", ".".join(["abcdefgh"] * 40)):
        with pytest.raises(DNSException):
            dns_message.question_section(name, "A")


def test_the_root_is_a_name() -> None:
    assert dns_message.question_section("", "A") == b"\0\0\1\0\1"


def test_escaped_names_go_and_come_alike() -> None:
    asked = dns_message.question_section(r"a\.b\000.test", "A")
    wire = Asked(dns_message.make_query(asked, 7, edns=False)).reply(a_record(name=asked[:-4]), 1)
    assert dns_message.parse_response(wire, asked, "x").records[0].name == r"a\.b\000.test"


def test_bytes_of_names_become_ascii() -> None:
    wire = Asked(dns_message.make_query(ASKED, 7, edns=False)).reply(alias(b"\4\xff\x1b\xe2A\0"), 1)
    assert dns_message.parse_response(wire, ASKED, "a.test").records[0].value == r"\255\027\226a"


@given(st.binary(max_size=300))
def test_chaos_is_read_or_refused(tail: bytes) -> None:
    wire = Asked(dns_message.make_query(ASKED, 7, edns=False)).reply(tail, 3, additionals=2)
    with contextlib.suppress(dns_message.MalformedError):  # and nothing else
        assert len(dns_message.parse_response(wire, ASKED, "a.test").records) <= 3


@given(st.binary(max_size=100))
def test_chaos_is_an_answer_only_with_our_question(wire: bytes) -> None:
    number = dns_message.response_id(wire, ASKED)
    assert number is None or wire[12 : 12 + len(ASKED)].lower() == ASKED or wire[4:6] == b"\0\0"


def test_a_walk_ends_at_its_caps() -> None:
    count = 4000
    wire = Asked(dns_message.make_query(ASKED, 7, edns=False)).reply(a_record() * count + b"\xff", count + 1)
    assert len(wire) > 60_000
    assert len(dns_message.parse_response(wire, ASKED, "a.test").records) == dns_message.RECORDS_KEPT
    near = Asked(dns_message.make_query(ASKED, 7, edns=False)).reply(a_record() * 900 + b"\xff", 901)
    with pytest.raises(dns_message.MalformedError):
        dns_message.parse_response(near, ASKED, "a.test")


def test_options_up_to_the_limit_and_several_errors() -> None:
    errors = b"".join(b"\0\x0f\0\5" + bytes([0, code]) + b"why" for code in (0, 18, 200, 4, 4))
    filler = b"\xfd\xe9\0\0" * 95
    base = Asked(dns_message.make_query(ASKED, 7, edns=True))
    reply = dns_message.parse_response(
        base.reply(additional=opt(errors + filler), additionals=1), ASKED, "a.test"
    )
    assert reply.ede == "0 Other: why; 18 Prohibited: why; 200: why; 4 Forged answer: why"
    with pytest.raises(dns_message.MalformedError, match="more than 100"):
        dns_message.parse_response(
            base.reply(additional=opt(errors + filler + b"\xfd\xe9\0\0"), additionals=1), ASKED, "a.test"
        )


@pytest.mark.parametrize("options", [b"\0", b"\0\x0f\0", b"\0\x0f\0\x09ab"])
def test_options_cut_short(options: bytes) -> None:
    wire = Asked(dns_message.make_query(ASKED, 7, edns=True)).reply(additional=opt(options), additionals=1)
    with pytest.raises(dns_message.MalformedError):
        dns_message.parse_response(wire, ASKED, "a.test")


def test_records_of_other_classes_are_not_kept() -> None:
    chaos = b"\xc0\x0c" + bytes.fromhex("0001 0003 0000003c 0004 01020304")
    wire = Asked(dns_message.make_query(ASKED, 7, edns=False)).reply(chaos + a_record(), 2)
    assert [record.value for record in dns_message.parse_response(wire, ASKED, "a.test").records] == [
        "192.0.2.1"
    ]


def test_eight_thousand_pointers_in_a_row() -> None:
    base = Asked(dns_message.make_query(ASKED, 7, edns=False))
    start = 12 + len(ASKED) + 12
    offsets = (start + max(0, 2 * i - 1) for i in range(8000))
    chain = b"\0" + b"".join((offset | 0xC000).to_bytes(2, "big") for offset in offsets)
    holder = b"\xc0\x0c" + bytes.fromhex("000a 0001 0000003c") + len(chain).to_bytes(2, "big") + chain
    last = (start + len(chain) - 2) | 0xC000
    with pytest.raises(dns_message.MalformedError, match="Pointer"):
        dns_message.parse_response(
            base.reply(holder + a_record(name=last.to_bytes(2, "big")), 2), ASKED, "a.test"
        )


def test_sixteen_thousand_options() -> None:
    base = Asked(dns_message.make_query(ASKED, 7, edns=True))
    with pytest.raises(dns_message.MalformedError, match="more than 100 EDNS options"):
        dns_message.parse_response(
            base.reply(additional=opt(b"\xfd\xe9\0\0" * 16_000), additionals=1), ASKED, "a.test"
        )


def test_heavy_dnssec_data_is_passed_over() -> None:
    """Signatures and NSEC3 records are stepped over unread, in the answer as in the other sections."""
    base = Asked(dns_message.make_query(ASKED, 7, edns=False))
    heavy = b"".join(
        b"\xc0\x0c" + bytes.fromhex(f"{kind:04x} 0001 0000003c 0100") + b"\xff" * 256
        for kind in (46, 48, 50) * 70
    )
    reply = dns_message.parse_response(base.reply(heavy + a_record(), 211), ASKED, "a.test")
    assert [record.value for record in reply.records] == ["192.0.2.1"]


@pytest.mark.parametrize(
    ("target", "value"),
    [
        (b"\x0210\x010\x010\x011\0", "10.0.0.1"),  # it looks like an address and is a name
        (b"\x05LOGIN\x04Test\0", "login.test"),
        (b"\x03a.b\x01@\0", "a\\.b.\\@"),
        (b"\x02\x1b[\x03\x9b2J\0", "\\027[.\\1552j"),
        (b"\0", ""),
    ],
)
def test_an_alias_is_a_name_whatever_it_looks_like(target: bytes, value: str) -> None:
    wire = Asked(dns_message.make_query(ASKED, 7, edns=False)).reply(alias(target), 1)
    (record,) = dns_message.parse_response(wire, ASKED, "a.test").records
    assert record.value == value
    assert dns_message.question_section(value, "A")[:-4] == target.lower(), (
        "it can be asked for, and is then the same name"
    )


@pytest.mark.parametrize(
    ("section", "negative"), [("authority", True), ("additional", False), ("answer", False)]
)
def test_an_answer_that_ends_without_records_says_so_in_its_authority_section(
    section: str, negative: bool
) -> None:
    response = dns.message.make_response(dns.message.make_query("a.test", "AAAA"))
    response.answer.append(dns.rrset.from_text("a.test.", 60, "IN", "CNAME", "b.test."))
    soa = dns.rrset.from_text("test.", 60, "IN", "SOA", "ns.test. hostmaster.test. 1 2 3 4 5")
    getattr(response, section).append(soa)
    asked = dns_message.question_section("a.test", "AAAA")
    assert dns_message.parse_response(response.to_wire(), asked, "a.test").negative is negative


# --- whose word an answer is ---------------------------------------------------------------------------------------


def soa(owner: bytes) -> bytes:
    data = wire_name("ns.test") + wire_name("host.test") + bytes(20)
    return owner + struct.pack("!HHIH", 6, 1, 60, len(data)) + data


def with_authority(records: bytes, count: int, answers: bytes = b"", answered: int = 0) -> bytes:
    wire = Asked(dns_message.make_query(ASKED, 7, edns=False)).reply(answers + records, answered, rcode=3)
    return wire[:8] + count.to_bytes(2, "big") + wire[10:]


def test_the_zone_that_says_no_is_kept() -> None:
    pair = soa(wire_name("PrivateLink.test")) + soa(wire_name("other.test"))
    reply = dns_message.parse_response(with_authority(pair, 2), ASKED, "a.test")
    assert (reply.negative, reply.soa) == (True, "privatelink.test")
    root = dns_message.parse_response(with_authority(soa(b"\0"), 1), ASKED, "a.test")
    assert (root.negative, root.soa) == (True, "")
    answer = dns_message.parse_response(with_authority(b"", 0, soa(wire_name("b.test")), 1), ASKED, "a.test")
    assert (answer.negative, answer.soa) == (False, ""), "an SOA record among the answers is no denial"


def said(*errors: tuple[int, bytes]) -> dns_message.Reply:
    options = b"".join(
        b"\0\x0f" + (2 + len(text)).to_bytes(2, "big") + code.to_bytes(2, "big") + text
        for code, text in errors
    )
    base = Asked(dns_message.make_query(ASKED, 7, edns=True))
    return dns_message.parse_response(base.reply(additional=opt(options), additionals=1), ASKED, "a.test")


def test_numbers_of_extended_errors_are_kept_apart_from_their_text() -> None:
    reply = said((22, b"x; 15 Blocked"), (15, b""), (49_152, b"ours"))
    assert reply.ede_codes == (22, 15, 49_152)
    assert reply.ede == "22 No reachable authority: x; 15 Blocked; 15 Blocked; 49152: ours"


def test_what_forwarders_repeat_is_kept_once_and_the_policy_behind_it_is_seen() -> None:
    assert said(*[(22, b"")] * 40, (15, b"")).ede_codes == (22, 15)
    assert len(said(*[(n, b"") for n in range(60)]).ede_codes) == dns_message.ERRORS_KEPT


@pytest.mark.parametrize("text", [b"\xff\xfe\x80", b"\x1b]0;x\x07", "\u202e".encode(), b"\0\0", b"x" * 1000])
def test_the_text_of_an_extended_error_is_harmless_and_leaves_room_for_the_next(text: bytes) -> None:
    reply = said((3, text), (17, text), (15, b"by policy"))
    assert reply.ede.isprintable()
    assert len(reply.ede) < 400
    assert reply.ede_codes == (3, 17, 15)
    assert "17 Filtered" in reply.ede


@pytest.mark.parametrize("rcode", [0, 3])
def test_a_response_without_a_question_is_known_by_its_id(rcode: int) -> None:
    asked = Asked(dns_message.make_query(ASKED, 7, edns=False))
    bare = asked.reply(question=b"", rcode=rcode)
    assert (dns_message.response_id(bare, ASKED), dns_message.questionless_id(bare)) == (None, 7)
    assert dns_message.rcode_word(bare) == ("NOERROR", "", "", "NXDOMAIN")[rcode]


def test_anything_else_is_no_response_without_a_question() -> None:
    asked = Asked(dns_message.make_query(ASKED, 7, edns=False))
    assert dns_message.questionless_id(asked.reply()) is None
    assert dns_message.questionless_id(asked.wire) is None
    assert dns_message.questionless_id(asked.reply(question=b"", rcode=5)) is None, (
        "servers leave it out there"
    )
    assert dns_message.questionless_id(b"\0\7") is None
    assert dns_message.questionless_id(asked.reply(question=b"", flags=0x0800)) is None
