"""A process that follows a share of the partitions: which those are, who has the others, and how those are asked."""
