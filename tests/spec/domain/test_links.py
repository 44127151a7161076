"""Rule ``notice-has-link``: whatever could be turned into a link is found, however it is written; and a plain notice is
not taken for one."""

import html
import subprocess
import sys
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.links import find_link

LINKS = """
https://pay.example/x
HTTP:\\\\pay.example
hTtPs :// pay.example
h t t p s : / / pay
hxxps[:]//pay[.]example
//pay/now
\\\\server\\share
ftp:file
mailto:someone
tel:+491234
data:text/html;base64,AAAA
javascript : alert(1)
vbscript:x
whatsapp://send
cid:part1
magnet:?xt=1
www.pay
www pay com
pay.com
PAY.COM.
(pay.com)
pay.photography
t.co
xn--bcher-kva.example
bücher.example
магазин.рф
例え.テスト
pay . com
pay .com
pay. com
pay.
com
p a y . c o m
t . me / abc
pay,com
pay[.]com
pay (.) com
pay(dot)com
pay dot com
pay punkt de
pay。com
pay．com
pay·com
pay․com
p\u200bay.c\u200bom
pay\u200b.\u200bcom
pay\u00ad.com
pay\u2060.com
pay\u3164.com
pay\ufe0f.com
p\u0332a\u0332y\u0332.c\u0332o\u0332m\u0332
ｐａｙ.ｃｏｍ
ⓟⓐⓨ.ⓒⓞⓜ
🅟🅐🅨.🅒🅞🅜
🅿🅰🆈.🅲🅾🅼
𝐩𝐚𝐲.𝐜𝐨𝐦
\u202emoc.yap
pay.c\u043em
https∶//pay
https：／／pay
https\ua789\u29f8\u29f8pay
pay%2Ecom
pay%252Ecom
https%3A%2F%2Fpay
pay=2Ecom
https=3A=2F=2Fpay
pay.=
com
pay&#46;com
pay&period;com
pay&amp;#x2e;com
https&colon;&sol;&sol;pay
\\u0068ttps://pay
\\x70ay\\u{0002e}com
192.168.0.1
0xC0.0xA8.0.1
[2001:db8::1]
2001:db8::1
fe80::1
2001:0db8:85a3:0000:0000:8a2e:0370:7334
localhost/pay
pay:8443
user:word@pay
a@pay.com
a @ pay . com
a(at)pay(dot)com
intranet/pay?order=1
?order=1
#/pay
<a href=x>
<b>
&lt;img src=x&gt;
[here](x)
[url=x]
href = x
""".strip("\n")
PLAIN = """
It left with UPS, number 1Z 999 AA1 01 2345 6784, although it was cancelled. You would be billed 12.50 EUR again.
Wir berechnen 1.234,56 EUR. Am 3.4.2026 um 10.30 Uhr, z.B. mit DHL (Deutsche Post), d.h. morgen, u.a. auch per Post.
e.g. tomorrow, i.e. soon; Ph.D. Smith, Mr. J.R.R. Tolkien, U.S. Postal Service, U.S.A., U.K., A.B. Company
by J.R.R.Tolkien and J.Smith
Version 2.10.3, par. 4.2.1, approx. 5 days, approx.5 days, ratio 1:2, 24/7, c/o Smith, and/or, 3/4, M/L, 50 % off
at 10:42, 12:30:45, 10.30 a.m. or 5 p.m. on 2026-03-02
No. 5, Nr. 7, No.1, St. Louis, Dr. Who, Inc. and Ltd., GmbH & Co. KG
Tel. 030 1234567, Data: 5 units, News: it left, Re: your order, Note:it left, PO-4711/2, Order #4711: lamp
Carrier: DHL. Number: JD0146.00.0390, serial 12.34.56.78.90, DPD 0123.4567.8901.23
wait...what, your order…thanks, Hello :) it is on its way :/ and a dot on the lamp
item@home is the brand, MAC 00:1A:2B:3C:4D:5E
発送しました。UPSの番号は1Z999です。再度請求されます。
L'hem enviat amb col·laboració de l'oficina, número 1Z999.
""".strip("\n")


def _each(text: str) -> list[str]:
    """The examples. An example on two lines is recognized by the missing end of its first line."""
    found: list[str] = []
    for line in text.split("\n"):
        if found and found[-1] in ("pay.", "pay.="):
            found[-1] += "\n" + line
        else:
            found.append(line.encode("ascii", "backslashreplace").decode("unicode_escape") if "\\u2" in line else line)
    return found


@pytest.mark.rule("notice-has-link")
@pytest.mark.parametrize("link", _each(LINKS))
def test_any_text_that_could_become_a_link_is_a_link(link: str) -> None:
    assert find_link(link) is not None
    assert find_link(f"It left with UPS 1Z999, see {link} for more") is not None or link.startswith("[")


@pytest.mark.parametrize("text", PLAIN.split("\n"))
def test_a_plain_notice_is_not_taken_for_a_link(text: str) -> None:
    assert find_link(text) is None


HOSTS = st.builds(
    lambda name, end: f"{name}.{end}",
    st.from_regex(r"[a-z]{3,12}", fullmatch=True),
    st.sampled_from(["com", "net", "org", "de", "io", "shop", "xyz", "co.uk"]),
)


def _between(mark: str) -> "st.SearchStrategy[object]":
    return st.just(lambda text: text.replace(".", f"{mark}.{mark}"))


DISGUISES = st.one_of(
    st.just(str.upper),
    st.just(str.title),
    st.just(lambda text: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)),
    st.just("\u200b".join),
    st.just("\u0336".join),
    st.just(lambda text: text.replace(".", "%2e")),
    st.just(lambda text: text.replace(".", "&#x2E;")),
    st.just(lambda text: text.replace(".", "=2E")),
    st.just(lambda text: text.replace(".", "\\u002e")),
    st.just(lambda text: text.replace(".", "\u3002")),
    st.just(lambda text: text.replace(".", "[.]")),
    st.just(lambda text: "".join(f"&#{ord(c)};" for c in text)),
    st.just(lambda text: "".join(f"%{ord(c):02X}" if ord(c) < 128 else quote(c) for c in text)),
    st.just(html.escape),
    _between("\u00ad"),
    _between("\u2060"),
    _between(" "),
)


@given(HOSTS, DISGUISES, DISGUISES, st.sampled_from(["", "https://", "www.", "//"]))
def test_two_disguises_over_each_other_hide_no_host(host: str, one: object, two: object, scheme: str) -> None:
    hidden = two(one(scheme + host))  # type: ignore[operator]
    assert find_link(hidden) is not None, hidden
    assert find_link(f"Your parcel left: {hidden} with UPS 1Z999.") is not None, hidden


WORDS = st.sampled_from(["It", "left", "with", "UPS", "although", "cancelled", "you", "would", "be", "billed", "again"])
NUMBERS = st.one_of(
    st.decimals(min_value=0, max_value=99_999, places=2, allow_nan=False).map(str),
    st.integers(0, 10**14).map(str),
    st.times().map(lambda t: f"{t:%H:%M}"),
    st.dates().map(lambda d: d.isoformat()),
    st.dates().map(lambda d: f"{d.day}.{d.month}.{d.year}"),
    st.from_regex(r"1Z[0-9A-Z]{16}", fullmatch=True),
    st.from_regex(r"[A-Z]{2}[0-9]{9}[A-Z]{2}", fullmatch=True),
    st.from_regex(r"([A-Z]\.){1,3} [A-Z][a-z]{2,9}", fullmatch=True),
    st.sampled_from(["e.g.", "i.e.", "z.B.", "No. 5", "v1.2", "1:2", "24/7", "50 %", "(once)", "it's"]),
)


@given(st.lists(st.one_of(WORDS, NUMBERS), min_size=1, max_size=30), st.sampled_from([". ", ", ", " ", "; ", "\n"]))
def test_words_prices_times_numbers_and_initials_in_any_order_are_no_link(parts: list[str], joint: str) -> None:
    text = joint.join(parts)
    assert find_link(text) is None, text


@given(st.text(max_size=200))
def test_any_text_has_an_answer_and_the_same_one_twice(text: str) -> None:
    assert find_link(text) == find_link(text)


@pytest.mark.parametrize(
    "part", ["a", "a ", " ", "[", "a.", "=2", "&amp;", "1.", "@", "a@", ":", "\\u", "?a", ". ", "12:"]
)
def test_the_longest_text_of_any_shape_is_looked_through_to_its_end(part: str) -> None:
    """20,000 characters take about 0.1 s; a pattern that tries every end for every beginning took 20 s here."""
    text = (part * 20_000)[:20_000]
    assert find_link(text) is None or part == "12:"
    assert find_link(f"{text} pay.com") is not None


LONG = 20_000
LOOKED_AT_SLOWLY = (
    *("a dot" + " " * LONG, "a" + " " * LONG, "<" + " " * LONG, "a-" * (LONG // 2), "[](" * (LONG // 3)),
    *("\u0301\u0327" * (LONG // 2), "\u0f73" * LONG, "a dot(" + "\n" * LONG, "a [" + "\t" * LONG + "]"),
)


def test_a_long_text_is_looked_at_once() -> None:
    """Run in a process of its own, because endless backtracking could not be interrupted."""
    look = (
        "import sys; from domain.links import find_link; [find_link(text[:20_000]) for text in eval(sys.stdin.read())]"
    )
    done = subprocess.run(
        [sys.executable, "-c", look], input=repr(LOOKED_AT_SLOWLY), text=True, timeout=120, check=True
    )
    assert done.returncode == 0


@pytest.mark.parametrize(
    "text",
    ["a  (  dot  )  com", "shop [dot] com", "< / a", "[x] (y)", "[x](y(z)", "local-host:8443", "e\u0301xample.com"],
)
def test_a_link_hidden_in_a_long_text_is_still_a_link(text: str) -> None:
    assert find_link(text) is not None
