"""How a command ends before its end: by signals, and with those that it depends on."""
