"""Who is behind the log, by how much, where; and how much room the log has."""

from typing import Final

from deploy.grafana.panels import Board, Panel, Query, Unit, rate

KAFKA_LAG: Final = Board(
    "parley-kafka-lag",
    "Parley: Kafka lag",
    "Who is behind the log, by how much, where; and how much room the log has.",
    [
        Panel(
            "Lag in seconds",
            Unit.SECONDS,
            "Age of the oldest record that a consumer's tables do not hold yet. Above a minute "
            "for two is "
            "an alert, above a quarter of an hour a critical one.",
            [
                Query(
                    "max by (consumer, topic) (parley_consumer_lag_seconds)",
                    "{{consumer}} {{topic}}",
                )
            ],
        ),
        Panel(
            "Lag in records",
            Unit.COUNT,
            "Records that a consumer's tables do not hold yet, over all partitions.",
            [
                Query(
                    "sum by (consumer, topic) (parley_consumer_lag_records)",
                    "{{consumer}} {{topic}}",
                )
            ],
        ),
        Panel(
            "Partitions that are farthest behind",
            Unit.COUNT,
            "The ten worst. One partition alone: a conversation that floods it, or a partition "
            "that "
            "stands still.",
            [
                Query(
                    "topk(10, max by (consumer, partition) (parley_consumer_lag_records))",
                    "{{consumer}}/{{partition}}",
                )
            ],
        ),
        Panel(
            "Readers without tables",
            Unit.COUNT,
            "Records that gateways have not shown yet, and that the activity worker has not "
            "counted.",
            [
                Query("max(parley_gateway_tail_lag_records)", "gateway"),
                Query("sum(parley_activity_lag_records)", "activity"),
            ],
        ),
        Panel(
            "Records read",
            Unit.PER_SECOND,
            "By the persister, which reads all topics that have tables.",
            [Query(rate("parley_persister_records_total", "topic"), "{{topic}}")],
            is_stacked=True,
        ),
        Panel(
            "Room on the log's disks",
            Unit.RATIO,
            "What is left on each broker. Below 15 % is an alert, below 5 % a critical one.",
            [
                Query(
                    "min by (broker, log_dir) "
                    "(parley_log_disk_usable_bytes / parley_log_disk_size_bytes)",
                    "{{broker}} {{log_dir}}",
                )
            ],
        ),
        Panel(
            "Bytes by topic",
            Unit.BYTES,
            "What each topic takes, over all brokers, replicas included.",
            [
                Query(
                    "sum by (topic) (max by (broker, topic) (parley_log_topic_size_bytes))",
                    "{{topic}}",
                )
            ],
            is_stacked=True,
        ),
    ],
)
