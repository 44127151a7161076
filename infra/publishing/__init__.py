"""Publishing on Kafka: a transactional producer per partition, its progress, a schema registry, and the threads."""
