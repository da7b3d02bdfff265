"""What every mode reaches outside in the same way: posts to webhooks, functions of one's own, cards for trials, clock and ids."""
