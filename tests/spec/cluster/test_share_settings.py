"""Settings required to follow a share: each missing one is one sentence that names its key."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.settings import SettingsError, load_settings

WHOLE: dict[str, Any] = {
    "follow": "share",
    "journal": "kafka://127.0.0.1:9092/shop",
    "commands": "on",
    "views": "postgresql://rescind@127.0.0.1:5432/rescind",
    "vault": "postgresql://rescind@127.0.0.1:5432/rescind",
    "advertise": "http://127.0.0.1:8001",
}


def test_with_everything_there_it_is_the_advertised_address() -> None:
    assert load_settings(**WHOLE).share_url == "http://127.0.0.1:8001"
    assert load_settings(**WHOLE, publish="on").share_url is not None
    assert load_settings(**WHOLE, publish="on", post="topic").share_url is not None


def test_a_process_that_follows_all_partitions_needs_no_cluster_settings() -> None:
    assert load_settings(journal="memory:").share_url is None
    assert load_settings(**WHOLE | {"follow": "all"}).share_url is None


@pytest.mark.parametrize(
    ("key", "instead"),
    [
        ("journal", "sqlite:///var/journal"),
        ("journal", "memory:"),
        ("commands", "off"),
        ("views", "sqlite:///views.sqlite"),
        ("views", "memory:"),
        ("views", None),
        ("vault", "vault.sqlite"),
        ("vault", None),
        ("advertise", None),
        ("post", "outbox"),
    ],
)
def test_each_missing_setting_is_named_with_its_form(key: str, instead: str | None) -> None:
    settings = load_settings(**WHOLE | {key: instead})
    with pytest.raises(SettingsError, match=rf"^{key}: .*if follow is share"):
        settings.share_url  # noqa: B018


def test_no_mail_goes_out_from_one_of_several() -> None:
    settings = load_settings(**WHOLE, post="smtp", smtp_host="mail.example.org")
    with pytest.raises(SettingsError, match="post: cannot be smtp"):
        settings.share_url  # noqa: B018


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1:8001", "http://127.0.0.1", "http://127.0.0.1:8001/", "ftp://127.0.0.1:21", "http://u:p@127.0.0.1:80"],
)
def test_the_advertised_address_is_scheme_host_and_port(address: str) -> None:
    with pytest.raises(SettingsError, match=r"advertise: .*like http://127\.0\.0\.1:8080"):
        load_settings(**WHOLE | {"advertise": address})


def serve(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    command = [str(Path(sys.executable).with_name("rescind")), "serve", *arguments]
    named = {f"RESCIND_{name.upper()}": value for name, value in settings.items()}
    return subprocess.run(command, env={**os.environ, **named}, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("key", ["commands", "views", "vault", "advertise"])
def test_serve_without_the_settings_fails_before_it_connects_to_a_broker(key: str) -> None:
    done = serve(**{name: value for name, value in WHOLE.items() if name != key})
    assert done.returncode == 2
    assert re.fullmatch(rf"rescind: {key}: .*if follow is share.*\n", done.stderr), done.stderr


def test_a_process_that_follows_a_share_does_not_seed_a_demo() -> None:
    done = serve("--demo", **WHOLE)
    assert done.returncode == 2
    assert "--demo" in done.stderr
    assert len(done.stderr.splitlines()) == 1
