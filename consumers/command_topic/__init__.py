"""The command gateway: decides commands that arrive on a topic, in order, and answers on another topic."""
