"""The journal on Kafka: what is set on topics and clients, the journal's own logic, and ports to the two clients."""
