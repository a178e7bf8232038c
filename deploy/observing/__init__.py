"""What is measured, told about, and drawn: for whoever runs Parley; no service imports it."""
