"""Pages for people: server-rendered, without scripts, nothing is loaded from other hosts."""
