"""The journal on Kafka: topics, clients (kafka-python, librdkafka), reading, appending, and explaining refusals."""
