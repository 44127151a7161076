"""The server process: its socket, its connections, and the ASGI application over API and pages."""
