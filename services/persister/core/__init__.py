"""Pure decisions: which rows a batch of events, seals or verdicts becomes."""
