"""Kafka in and out: reads records, has them written under the fence, and says what was refused."""
