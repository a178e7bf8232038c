"""History under another gap policy, in memory: nothing is written anywhere."""
