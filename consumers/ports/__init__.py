"""Ports: what the loops need from storage and transport, as Protocols with their values and errors."""
