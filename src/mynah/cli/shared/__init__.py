"""What the commands share: from what is typed to a run, and how each ends."""
