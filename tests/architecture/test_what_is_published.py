"""Checks of everything published: a complete wheel, files that name no machine, permitted dependencies."""

import ast
import importlib.metadata
import pathlib
import re
import subprocess
import sys
import tomllib
import zipfile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra.cli.commands import SUBCOMMANDS
from tests.architecture.planted import PACKAGES, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def tracked(*paths: str) -> set[str]:
    """List the tracked files below these paths that exist."""
    done = subprocess.run(
        ["git", "ls-files", "-z", "--", *paths], cwd=ROOT, capture_output=True, check=True, timeout=60
    )
    return {name for name in done.stdout.decode("utf-8").split("\0") if name and (ROOT / name).is_file()}


def build_wheel(place: pathlib.Path) -> pathlib.Path:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(place), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    (wheel,) = place.glob("*.whl")
    return wheel


def test_the_wheel_holds_every_file_of_the_packages_and_works_by_itself(tmp_path: pathlib.Path) -> None:
    wheel = build_wheel(tmp_path / "dist")
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
        archive.extractall(tmp_path / "site")
        metadata = archive.read(next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))).decode()

    tracked_files = tracked(*PACKAGES)
    assert {name.rpartition(".")[2] for name in tracked_files} >= {"py", "avsc", "toml"}
    assert tracked_files - inside == set()
    assert {name.split("/")[0] for name in inside} == set(PACKAGES)
    assert "Classifier: Private :: Do Not Upload" in metadata

    program = f"import {', '.join(PACKAGES)}; print(*(p.__file__ for p in ({', '.join(PACKAGES)})), sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-B", "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert all(line.startswith(str(tmp_path / "site")) for line in done.stdout.splitlines())


# Written in pieces, so that this file does not name what it looks for.
FORBIDDEN = re.compile(
    "|".join(
        [
            r"/(?:work|farm)/(?:main|steering|shared|\.)",
            r"(?<![\w.])/ro" + r"ot/",
            r"/tmp/scr" + "atch",
            r"pypi\.o" + "rg",
            r"python" + "hosted",
            r"repo1?\.ma" + "ven",
            r"registry\.n" + "pmjs",
            r"deb\.deb" + "ian",
            r"proxy\.go" + "lang",
        ]
    )
)


def test_no_file_names_a_registry_or_a_machine() -> None:
    found = []
    for name in sorted(tracked(".")):
        text = (ROOT / name).read_bytes().decode("utf-8", "replace")
        found += [f"{name}:{text.count(chr(10), 0, m.start()) + 1}: {m[0]}" for m in FORBIDDEN.finditer(text)]
    assert found == []


def test_the_search_for_machine_paths_finds_one() -> None:
    assert FORBIDDEN.search("see /work/" + "main/x") and FORBIDDEN.search("https://files.python" + "hosted.example/x")


LOCKS = ("build", "run", "dev")


def pins(name: str) -> dict[str, str]:
    """Package, with its version and marker -> everything that the lock file says of it."""
    lines = (ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    found = [line for line in lines if line and not line.lstrip().startswith("#")]
    return {line.partition(" --hash")[0].strip(): line for line in found}


@pytest.mark.parametrize("name", LOCKS)
def test_everything_that_is_installed_is_pinned_with_its_hashes(name: str) -> None:
    lines = pins(name).values()
    assert lines and all(
        re.match(r"[a-z0-9._-]+(\[[a-z0-9,_-]+\])?==\S+ .*--hash=sha256:[0-9a-f]{64}", line) for line in lines
    )
    assert "://" not in "".join(lines)


def versions(name: str) -> dict[str, str]:
    """Package -> its version in a lock file."""
    return {re.split(r"[\[=]", pin)[0]: pin.partition("==")[2].split()[0] for pin in pins(name)}


@pytest.mark.parametrize("name", ["build", "run"])
def test_developing_has_the_same_versions_as_running_and_building(name: str) -> None:
    dev = versions("dev")
    assert {package: dev.get(package) for package in versions(name)} == versions(name)


def test_running_installs_nothing_that_only_developing_needs() -> None:
    only_for_developing = {canonicalize_name(r.name) for r in group("dev")} - {
        canonicalize_name(Requirement(each).name)
        for extra in PROJECT["project"]["optional-dependencies"].values()
        for each in extra
    }
    assert only_for_developing & set(versions("run")) == set()


def group(name: str) -> list[Requirement]:
    """The requirements of a dependency group, with those of the groups that it includes."""
    found: list[Requirement] = []
    for each in PROJECT["dependency-groups"][name]:
        found += [Requirement(each)] if isinstance(each, str) else group(each["include-group"])
    return found


def direct() -> list[Requirement]:
    return [*(Requirement(r) for r in PROJECT["project"]["dependencies"]), *group("dev")]


def test_the_lock_file_satisfies_every_requirement_of_the_project() -> None:
    for requirement in direct():
        assert importlib.metadata.version(requirement.name) in requirement.specifier, requirement


def test_every_direct_dependency_has_its_reason_and_a_licence_that_may_be_used() -> None:
    reasons = (ROOT / "docs/explanation/dependencies.md").read_text(encoding="utf-8")
    for requirement in direct():
        meta = importlib.metadata.metadata(requirement.name)
        licence = " ".join(str(x) for name in ("License-Expression", "Classifier") for x in meta.get_all(name) or [])
        assert f"| `{requirement.name}` |" in reasons, (
            f"docs/explanation/dependencies.md does not say why {requirement.name} is here"
        )
        assert not re.search(r"\bA?GPL|(?<!Lesser )General Public License", licence), requirement.name


USED_THROUGH = {"python-multipart": "starlette.formparsers", "tzdata": "zoneinfo"}
"""Dependencies that shipped code uses through a module that imports them by itself."""


def imported_modules() -> set[str]:
    """Every module that the packages import, with its parents' names."""
    found: set[str] = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    found.update(alias.name for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module is not None:
                    found.add(node.module)
    return found | {module.partition(".")[0] for module in found}


def test_every_runtime_dependency_is_imported_by_shipped_code() -> None:
    imported = imported_modules()
    brings: dict[str, set[str]] = {}
    for module, distributions in importlib.metadata.packages_distributions().items():
        for name in distributions:
            brings.setdefault(canonicalize_name(name), set()).add(module)
    extras = PROJECT["project"]["optional-dependencies"].values()
    unused = []
    for text in (*PROJECT["project"]["dependencies"], *(each for extra in extras for each in extra)):
        name = canonicalize_name(Requirement(text).name)
        if not (brings[name] & imported or USED_THROUGH.get(name) in imported):
            unused.append(name)
    assert unused == [], "remove them, or import them where they are needed"


def test_documents_name_only_commands_that_exist() -> None:
    known = set(SUBCOMMANDS)
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    wrong = [
        f"{page.relative_to(ROOT)}: {found[0]}"
        for page in pages
        if "adr" not in page.parts and "_build" not in page.parts
        for found in re.finditer(r"(?:`|^|\$ )rescind ([a-z][a-z-]*)\b", page.read_text(encoding="utf-8"), re.MULTILINE)
        if found[1] not in known
    ]
    assert wrong == []
