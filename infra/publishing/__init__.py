"""Publishing on Kafka: a transactional producer per partition, its progress, and a schema registry."""
