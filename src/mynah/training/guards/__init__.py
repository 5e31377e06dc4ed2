"""What keeps a training from being lost or spoiled: signals, limits, bad steps, full disks."""
