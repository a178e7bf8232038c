"""The dashboards of Grafana, as code: no service imports it."""
