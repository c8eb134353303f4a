"""What the package runs on: known advisories, and behaviour that it leans on."""
