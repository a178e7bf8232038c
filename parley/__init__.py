"""Parley: a durable, replayable conversation pipeline on Kafka."""
