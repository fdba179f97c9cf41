"""``make bench``: what matters, timed side by side with a yardstick in one run, as ratios."""
