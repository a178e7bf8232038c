"""The sealer against session windows of others: the same topic, results that must agree."""
