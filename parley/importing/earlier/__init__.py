"""Old conversations from the two tables that earlier trackers wrote, whatever they got wrong."""
