"""The embedded Kafka and PostgreSQL, and the supervisor that runs the services beside them."""
