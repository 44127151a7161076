"""What people look at: pure functions from one recorded event to row changes."""
