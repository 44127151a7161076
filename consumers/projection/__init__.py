"""The projector: keeps the views in step with the log."""
