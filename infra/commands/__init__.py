"""The asynchronous command path on Kafka: its topics, the forms on them, who takes commands, and who passes them on."""
