"""Where a replay's log comes from: the reader's local state of the journal, and the control log followed anew."""

import sys
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory

from consumers.projector import Part
from infra.opening import open_control
from infra.reading import NoJournal, open_reader
from infra.settings import Settings, ViewsAt
from infra.views.kept import KeptViews
from infra.views.opening import existing_views, open_views
from infra.views.replay import Progress, Report, replay
from infra.views.replay import check as compare


def run_replay(settings: Settings, *, check: bool, progress: Progress | None = None) -> Report:
    """Make the settings' views anew from their journal, or compare them, which changes nothing.

    JournalError, ViewsError: of a comparison ViewsDamaged and ViewsOfAnotherRelease, too, which say that they differ.
    """
    at = settings.views_at
    if not at.kept:
        raise NoJournal("memory: views live and end with their process: name kept ones with --views sqlite:///FILE")
    with closing(open_reader(settings)) as reader:
        control = open_control(reader.store, "replay", create=False)
        try:
            parts = [Part("control", 0, control.follower.state)]
            parts += [Part("journal", number, each.state) for number, each in sorted(reader.followers.items())]
            with ExitStack() as stack:
                if check:
                    return compare(_there(at, stack), parts, progress)
                opened = open_views(at)
                stack.enter_context(closing(opened.views))
                if opened.made_anew is not None:
                    sys.stderr.write(f"rescind: the views are made anew from the log: {opened.made_anew}\n")
                return replay(opened.views, parts, progress)
        finally:
            control.journal.close()


def _there(at: ViewsAt, stack: ExitStack) -> KeptViews:
    """The views there; where there are none, empty ones that end with ``stack``."""
    views = existing_views(at)
    if views is None:
        nowhere = stack.enter_context(TemporaryDirectory(prefix="rescind-"))
        views = open_views(ViewsAt(Path(nowhere) / "views.sqlite")).views
    return stack.enter_context(closing(views))
