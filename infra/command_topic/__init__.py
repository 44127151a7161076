"""The command topic on Kafka: reads commands, has them decided, and writes their outcomes."""
