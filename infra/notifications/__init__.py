"""Around the notifier (``consumers.notifying.notifier``): its book in SQLite, contacts, and the thread that drives it.

How a message is worded, built and handed over is in ``infra.notifications.mail``.
"""
