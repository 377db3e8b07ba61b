"""The page at `/`: its files, and what a browser lets them do."""
