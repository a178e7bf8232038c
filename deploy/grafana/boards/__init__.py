"""All dashboards, in the order in which one looks at them."""

from typing import Final

from deploy.grafana.boards.analyzer import ANALYZER
from deploy.grafana.boards.gateway import GATEWAY
from deploy.grafana.boards.kafka_lag import KAFKA_LAG
from deploy.grafana.boards.overview import OVERVIEW
from deploy.grafana.boards.persister import PERSISTER
from deploy.grafana.boards.sealer import SEALER

BOARDS: Final = (OVERVIEW, GATEWAY, PERSISTER, SEALER, ANALYZER, KAFKA_LAG)
