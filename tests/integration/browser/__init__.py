"""The console in a real browser: Debian's Chromium, where the machine has it."""
