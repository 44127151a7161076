"""Where a replay's log comes from: the reader's local state of the journal, and the control log followed anew."""

from contextlib import closing

from consumers.projector import Part
from infra.opening import open_control
from infra.reading import NoJournal, open_reader
from infra.settings import Settings
from infra.views.opening import open_views
from infra.views.replay import Progress, Report, replay
from infra.views.replay import check as compare


def run_replay(settings: Settings, *, check: bool, progress: Progress | None = None) -> Report:
    """Make the settings' views anew from their journal, or compare them. JournalError, ViewsError."""
    at = settings.views_at
    if not at.kept:
        raise NoJournal("memory: views live and end with their process: name kept ones with --views sqlite:///FILE")
    with closing(open_reader(settings)) as reader:
        control = open_control(reader.store, "replay", create=False)
        try:
            parts = [Part("control", 0, control.follower.state)]
            parts += [Part("journal", number, each.state) for number, each in sorted(reader.followers.items())]
            with closing(open_views(at).views) as views:
                return compare(views, parts, progress) if check else replay(views, parts, progress)
        finally:
            control.journal.close()
