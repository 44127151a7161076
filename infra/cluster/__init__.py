"""Several processes share the partitions: who follows which, and how commands reach the right process."""
