"""Kafka: the fenced consumer, the durable producer, and the topics themselves."""
