"""`parley sealing` shows which segments are open; `parley seal` closes a conversation's."""
