"""What drives a running engine: its loops and threads, its clock, and the watch over their health."""
