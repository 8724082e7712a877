"""The daemon with real processes: simulated experts at two projects, killed daemons, hours of saves, and a judge."""
