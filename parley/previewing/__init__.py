"""What another gap policy would have made of history, and what that would cost."""
