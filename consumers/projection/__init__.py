"""The projector: updates the views from the admitted commits of a log."""
