"""Every citation resolves in the repository: pages and their sections exist, and no outside document is named."""

import pathlib
import re
import subprocess

from tests.architecture.planted import ROOT

# Written in pieces, so that this file does not cite what it looks for.
OUTSIDE = re.compile(
    r"\b(?:(?:DESI" + r"GN|COMMA" + r"NDS|RUL" + r"ES|PAG" + r"ES|BROK" + r"ER|HOU" + r"SE|STY" + r"LE|ACCE"
    r"SS|PRO" + r"OF|OPERATI" + r"NG|CONNE" + r"CT)(?:\.md\b| \d)|CONTRA" + r"CT-\d|DESI" + r"GN\b(?!_))"
)
PAGE = re.compile(r"\bdocs/[\w./-]+\.md(?:, (?=[A-Z]))?")


def texts() -> dict[str, str]:
    """File → its text, of every tracked file that is text."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, timeout=60)
    found = {}
    for name in done.stdout.decode("utf-8").split("\0"):
        path = ROOT / name
        if name and path.is_file() and b"\0" not in path.read_bytes()[:8192]:
            found[name] = path.read_text(encoding="utf-8", errors="replace")
    return found


def headings(page: pathlib.Path) -> list[str]:
    """The sections of a page."""
    return re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)


def wrong_citations(text: str) -> list[str]:
    """The pages and sections that a text cites and that do not exist. A section is what follows ``PAGE.md, ``."""
    flat = " ".join(re.sub(r"\n\s*(?:#|//)?\s*", " ", text).split())
    wrong = []
    for cited in PAGE.finditer(flat):
        page = ROOT / cited[0].removesuffix(", ")
        section = flat[cited.end() :] if cited[0].endswith(", ") else None
        if not page.is_file():
            wrong.append(cited[0])
        elif section is not None and not section.startswith(tuple(headings(page))):
            wrong.append(f"{cited[0]}{section[:40]}")
    return wrong


def test_no_file_cites_a_document_that_is_not_in_the_repository() -> None:
    found = []
    for name, text in texts().items():
        found += [f"{name}:{text.count(chr(10), 0, m.start()) + 1}: {m[0]}" for m in OUTSIDE.finditer(text)]
    assert found == []


def test_every_page_and_section_that_a_module_cites_exists() -> None:
    found = {name: wrong for name, text in texts().items() if name.endswith(".py") and (wrong := wrong_citations(text))}
    assert found == {}


def test_the_search_finds_what_it_looks_for() -> None:
    for text in ("see DESI" + "GN 3.1", "(DESI" + "GN.md 6)", "COMMA" + "NDS.md 4", "RUL" + "ES 5", "CONTRA" + "CT-2"):
        assert OUTSIDE.search(text), text
    for text in ("COMMANDS = {}", "for rule in RULES:", "PAGES[name]", "a PAGE of 3"):
        assert not OUTSIDE.search(text), text
    assert wrong_citations("docs/reference/money.md, Refunds. docs/reference/rules.md") == []
    assert wrong_citations("docs/" + "reference/money.md, Refrains") == ["docs/" + "reference/money.md, Refrains"]
    assert wrong_citations("docs/" + "reference/no-such-page.md") == ["docs/" + "reference/no-such-page.md"]
