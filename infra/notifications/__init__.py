"""Notifications in a running engine: the notifier's thread, its delivery store in SQLite, and contacts.

``infra.notifications.mail`` composes, builds and sends the mails.
"""
