"""Settings: options over environment over file over defaults, and errors that name the key."""

import pathlib

import pytest

from domain.marketplace_settings import DEFAULT_MARKET
from infra.settings import CONFIG, SettingsError, journal_at, load_settings, views_at
from tests.integration.cli.driving import Store


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("RESCIND_")]:
        monkeypatch.delenv(name)


def written(place: pathlib.Path, text: str) -> str:
    path = place / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_more_specific_source_of_a_setting_wins(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, 'journal = "sqlite:///of-file"\nport = 1\nhost = "127.0.0.3"\n')
    monkeypatch.setenv(CONFIG, file)
    monkeypatch.setenv("RESCIND_PORT", "2")
    found = load_settings(host="127.0.0.2")
    assert (found.journal, found.port, found.host) == ("sqlite:///of-file", 2, "127.0.0.2")
    assert found.synchronous == "full"
    assert load_settings(written(tmp_path, "port = 4\n")).journal == "sqlite:///var/journal"


def test_a_marketplace_takes_each_key_that_it_does_not_set_from_the_default(tmp_path: pathlib.Path) -> None:
    file = written(
        tmp_path,
        '[marketplaces.default]\ntimezone = "Europe/Berlin"\npolicy = "big-box"\ncontact = "desk@example.org"\n'
        '[marketplaces.acme]\npolicy = "seller-portal@1"\nweekend = ["fri", "sat"]\n'
        'holidays = ["2026-03-09", 2026-03-10]\n'
        'holiday_calendar = "DE"\narbitration_fee = "200.00 USD"\n',
    )
    acme = load_settings(file).market("acme")
    assert (acme.timezone, acme.policy, acme.contact) == ("Europe/Berlin", "seller-portal@1", "desk@example.org")
    assert (acme.weekend, acme.holidays) == (("fri", "sat"), ("2026-03-09", "2026-03-10"))
    assert (acme.holiday_calendar, acme.arbitration_fee) == ("DE", "200.00 USD")
    other = load_settings(file).market("other")
    assert (other.policy, other.weekend) == ("big-box", ("sat", "sun"))
    assert load_settings().market("acme") == DEFAULT_MARKET


def test_marketplaces_may_be_set_in_the_environment_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESCIND_MARKETPLACES", '{"acme": {"weekend": ["fri"], "timezone": "America/New_York"}}')
    acme = load_settings().market("acme")
    assert (acme.weekend, acme.timezone) == (("fri",), "America/New_York")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("colour = 1", "colour: there is no such setting"),
        ("port = 70000", "port"),
        ('port = "many"', "port"),
        (
            'journal = "redis://broker/0"',
            "journal: 'redis://broker/0' cannot be opened: write",
        ),
        ('journal = "sqlite:///x?partitions=0"', "journal: a journal has 1 to"),
        ('journal = "sqlite:///x?partition=2"', "journal"),
        ('journal = "sqlite:///"', "journal"),
        ('views = "mysql://host/db"', "views: 'mysql://host/db' cannot be opened: write"),
        ('synchronous = "off"', "synchronous"),
        ("clock_limit = 0", "clock_limit"),
        ('[marketplaces.acme]\nzone = "UTC"', "marketplaces.acme.zone: there is no such setting"),
        (
            '[marketplaces.acme]\ntimezone = "Nowhere/City"',
            "marketplaces.acme.timezone: 'Nowhere/City' is not a time zone",
        ),
        (
            '[marketplaces.acme]\ntimezone = "localtime"',
            "marketplaces.acme.timezone: 'localtime' is another time zone on",
        ),
        (
            '[marketplaces.default]\ntimezone = "Factory"',
            "marketplaces.default.timezone: 'Factory' is another time zone",
        ),
        ('[marketplaces.acme]\nweekend = ["sun", "day"]', "marketplaces.acme.weekend"),
        ('[marketplaces.acme]\nholidays = ["2026-02-30"]', "marketplaces.acme.holidays"),
        ('[marketplaces.acme]\nholiday_calendar = "XX"', "marketplaces.acme.holiday_calendar: 'XX' is not a calendar"),
        ('[marketplaces.acme]\npolicy = "Big Box"', "marketplaces.acme.policy"),
        ('[marketplaces."Acme Inc"]\npolicy = "big-box"', "marketplaces.Acme Inc"),
        ('vault_key = "c2VjcmV0"', "vault_key: the settings file must not have secrets"),
        ("port =", "is not TOML"),
    ],
)
def test_an_invalid_setting_is_named_by_its_key(tmp_path: pathlib.Path, text: str, names: str) -> None:
    with pytest.raises(SettingsError) as wrong:
        load_settings(written(tmp_path, text))
    assert names in str(wrong.value)
    assert "settings.toml" in str(wrong.value)


def test_an_environment_variable_that_is_wrong_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("PORT", "x"), ("MARKETPLACES", "{"), ("VAULT_KEY", "short"), ("JOURNAL", "redis://x")):
        monkeypatch.setenv(f"RESCIND_{name}", value)
        with pytest.raises(SettingsError, match=f"RESCIND_{name}"):
            load_settings()
        monkeypatch.delenv(f"RESCIND_{name}")


def test_a_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    import base64

    key = base64.b64encode(b"k" * 32).decode()
    monkeypatch.setenv("RESCIND_VAULT_KEY", key)
    assert key not in repr(load_settings())


def test_urls_are_read_as_they_are_written() -> None:
    assert journal_at("sqlite:////abs/dir").directory == pathlib.Path("/abs/dir")
    assert journal_at("sqlite:///rel/dir?partitions=4").directory == pathlib.Path("rel/dir")
    assert journal_at("sqlite:///rel/dir?partitions=4").partitions == 4
    assert journal_at("memory:").directory is None
    assert journal_at("memory:?partitions=2").partitions == 2
    assert views_at("sqlite:////abs/views.sqlite").path == pathlib.Path("/abs/views.sqlite")
    assert load_settings(journal="sqlite:///x").views_at.path == pathlib.Path("x/views.sqlite")
    assert load_settings(journal="memory:").views_at.path is None


def test_a_wrong_setting_is_a_usage_error_on_the_command_line(store: Store) -> None:
    done = store.rescind("order", "show", "acme/PO-1", "--journal", "redis://x", check=2)
    assert done.err.startswith("rescind: --journal: 'redis://x' cannot be opened")
    assert "cannot be read" in store.rescind("--config", "none.toml", "journal", "stats", check=2).err
    assert store.rescind("order", "show", "--nonsense", check=2).err
    assert store.rescind("no-such-command", check=2).err
    assert "Commands" in store.rescind("--help").out
    assert store.rescind("--version").out.startswith("rescind ")


def test_the_default_way_of_notifying_follows_from_the_journal_url(tmp_path: pathlib.Path) -> None:
    assert load_settings().post_at == "outbox"
    assert load_settings(journal="kafka://127.0.0.1:9/shop").post_at == "off"
    assert load_settings(journal="kafka://127.0.0.1:9/shop", publish="on").post_at == "topic"
    assert load_settings(post="off").post_at == "off"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('post = "smtp"', "smtp_host"),
        ('post = "topic"', "post"),
        ('public_url = "javascript:alert(1)"', "public_url"),
        ('confirmed_within = "soon"', "confirmed_within"),
        ('remind_before = "2 business days"', "remind_before"),
        ('smtp_password = "secret-7"', "smtp_password"),
    ],
)
def test_an_invalid_notification_setting_is_refused_by_name(tmp_path: pathlib.Path, text: str, key: str) -> None:
    with pytest.raises(SettingsError, match=key) as refused:
        assert load_settings(written(tmp_path, text + "\n")).post_at
    assert "secret-7" not in str(refused.value)


def test_an_unknown_rescind_variable_is_reported_and_changes_nothing(store: Store) -> None:
    calm = store.rescind("import", store.file([]))
    assert calm.err == ""
    store.more = {
        "RESCIND_JOURNALS": "memory:",
        "RESCIND_FOO": "1",
        "RESCIND_REQUIRE": "kafka",
        "RESCIND_EXAMPLES": "10",
        "RESCIND_ANSWER_WITHIN": "20",
    }
    done = store.rescind("import", store.file([]))
    assert done.err.splitlines() == [
        "rescind: RESCIND_FOO is not a setting and has no effect: docs/reference/settings.md lists them",
        "rescind: RESCIND_JOURNALS is not a setting and has no effect: did you mean RESCIND_JOURNAL?",
    ]
