"""Several processes share the partitions: which process follows which, and how a command reaches the right one."""
