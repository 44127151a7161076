"""Pages for people: server-rendered, without scripts, no request leaves the host. Words before colour."""
