"""Running an engine: components, loops and threads, the clock, and the health watch."""
