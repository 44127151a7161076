"""What speaking to PostgreSQL needs, whatever is kept there: addresses, connections, what its errors mean."""
