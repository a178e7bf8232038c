#!/bin/sh
# What Parley's services may do at Kafka; made by `parley topics rights`.
set -eu
allow() {
  kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$COMMAND_CONFIG" \
    --add --allow-principal "$@"
}
allow User:parley-gateway --operation Describe --operation DescribeConfigs --operation Read --operation Write --topic parley.events.v1
allow User:parley-gateway --operation Describe --operation DescribeConfigs --operation Read --operation Write --topic parley.live.v1
allow User:parley-gateway --operation Describe --operation DescribeConfigs --operation Read --topic parley.config.v1
allow User:parley-persister --operation Describe --operation DescribeConfigs --operation Read --operation Write --topic parley.events.v1
allow User:parley-persister --operation Describe --operation DescribeConfigs --operation Read --topic parley.seals.v1
allow User:parley-persister --operation Describe --operation DescribeConfigs --operation Read --topic parley.analyses.v1
allow User:parley-persister --operation Describe --operation DescribeConfigs --operation Read --topic parley.config.v1
allow User:parley-persister --operation Describe --operation Write --topic parley.dead-letters.v1
allow User:parley-persister --operation Read --group parley-persister --resource-pattern-type prefixed
allow User:parley-persister --operation Describe --cluster
allow User:parley-sealer --operation Describe --operation DescribeConfigs --operation Read --operation Write --topic parley.events.v1
allow User:parley-sealer --operation Describe --operation Write --topic parley.seals.v1
allow User:parley-sealer --operation Read --group parley-sealer --resource-pattern-type prefixed
allow User:parley-analyzer --operation Describe --operation DescribeConfigs --operation Read --topic parley.seals.v1
allow User:parley-analyzer --operation Describe --operation DescribeConfigs --operation Read --operation Write --topic parley.analyses.v1
allow User:parley-analyzer --operation Describe --operation DescribeConfigs --operation Read --topic parley.config.v1
allow User:parley-analyzer --operation Read --group parley-analyzer --resource-pattern-type prefixed
allow User:parley-activity --operation Describe --operation DescribeConfigs --operation Read --topic parley.events.v1
allow User:parley-activity --operation Read --group parley-activity --resource-pattern-type prefixed
