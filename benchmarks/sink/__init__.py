"""Measures ways from Kafka into PostgreSQL: the persister's, Debezium's, and COPY as the limit."""
